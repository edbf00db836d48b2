"""A user's project, and its stages run as DVC runs them."""

import json
import os
import runpy
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from accelerate.state import AcceleratorState

from benchmarks.clones import edit
from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from stages.pipeline import plan
from tests.architecture.project import CodeReadOnce

__all__ = ["edit", "leftovers", "make_plan", "refused", "stage", "stage_here", "start", "write"]


def write(project: Path, files: dict[str, Any]) -> None:
    """Files by their paths; a list of rows becomes JSON lines."""
    for name, content in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content))


def make_plan(project: Path) -> None:
    """The files that the stage `plan` writes."""
    with chdir(project):
        files = plan.files(*validate_whole(read_file(Path("params.yaml"))), CodeReadOnce())
    write(project, {str(file): text for file, text in files.items()})


def start(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, with this interpreter's folder first on PATH, as in an activated environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=project, env=os.environ | {"PATH": path} | environment, capture_output=True, text=True, timeout=300
    )


def stage(project: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run the script of a stage after `plan`, with its name in the environment."""
    if name != "plan":
        make_plan(project)
    return start(project, sys.executable, "-m", script(name), DVC_STAGE=name)


def script(name: str) -> str:
    """The module of a stage."""
    return f"stages.{name.partition('@')[0]}"


def stage_here(project: Path, name: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has the libraries loaded: for what does not depend on the process.

    The code is that of the working tree, of which the project has a copy.
    """
    make_plan(project)
    AcceleratorState._reset_state(reset_partial_state=True)  # a process has one precision, and stages have several
    code, out, err = 0, StringIO(), StringIO()
    with chdir(project), pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
        patch.setenv("DVC_STAGE", name)
        patch.delitem(sys.modules, script(name), raising=False)
        with redirect_stdout(out), redirect_stderr(err):
            try:
                runpy.run_module(script(name), run_name="__main__")
            except SystemExit as end:
                code = 1
                print(end.code, file=sys.stderr)
    return subprocess.CompletedProcess([name], code, out.getvalue(), err.getvalue())


def run_well(project: Path, name: str) -> None:
    result = stage_here(project, name)
    assert result.returncode == 0, result.stderr


def refused(result: subprocess.CompletedProcess[str], name: str) -> str:
    """The message of a stage that refuses its input, which is all of its standard error."""
    head = f"ERROR: {name}: "
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stderr.startswith(head), result.stderr
    message = result.stderr.removeprefix(head)
    assert "ERROR" not in message and "Traceback" not in message, result.stderr
    return message.rstrip("\n")


def leftovers(project: Path, *outputs: str) -> list[str]:
    """Which of the outputs exist, and partial files."""
    return [*filter(lambda output: (project / output).exists(), outputs), *map(str, project.rglob("*.partial"))]
