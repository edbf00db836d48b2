"""A project as a user has it, and its stages run as DVC runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


def edit(project: Path, changes: dict[str, Any]) -> None:
    """Set keys of params.yaml: {"shrink.hidden_size": 30}; an `old -> new` at the end of a path renames a key."""
    file = project / "params.yaml"
    parameters = YAML(typ="safe").load(file)
    for path, value in changes.items():
        *sections, key = path.split(".")
        inner = parameters
        for section in sections:
            inner = inner[section]
        if " -> " in key:
            old, _, key = key.partition(" -> ")
            value = inner.pop(old)
        inner[key] = value
    YAML(typ="safe").dump(parameters, file)


def write(project: Path, files: dict[str, Any]) -> None:
    """Files by their paths; a list of rows becomes JSON lines."""
    for name, content in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content))


def start(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, with this interpreter's folder first on PATH, as in an activated environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=project, env=os.environ | {"PATH": path} | environment, capture_output=True, text=True, timeout=300
    )


def stage(project: Path, name: str) -> subprocess.CompletedProcess[str]:
    """The script of a stage, told its name as DVC tells it."""
    return start(project, sys.executable, "-m", f"stages.{name.partition('@')[0]}", DVC_STAGE=name)


def refused(result: subprocess.CompletedProcess[str], name: str) -> str:
    """The one message of a stage that refuses its input; it is all that stands on standard error."""
    head = f"ERROR: {name}: "
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stderr.startswith(head), result.stderr
    message = result.stderr.removeprefix(head)
    assert "ERROR" not in message and "Traceback" not in message, result.stderr
    return message.rstrip("\n")


def leftovers(project: Path, *outputs: str) -> list[str]:
    """Which outputs are there all the same, and what is half-written."""
    there = [output for output in outputs if (project / output).exists()]
    return there + [path.name for path in project.rglob("*.partial")]
