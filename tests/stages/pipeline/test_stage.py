"""A script as DVC runs it: its parameters, its key, its error messages, and what changes meanwhile."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.pipeline import durations
from stages.pipeline.closure import Code
from tests.stages.pipeline import toy

DVC_YAML = """
stages:
  plain: {cmd: python script.py, params: [compute.threads], deps: [input], outs: [output]}
  coded: {cmd: python -m stages.coded, deps: [plan/code/coded.json], outs: [output]}
  many:
    foreach: ${students}
    do:
      cmd: python script.py
      params: ["students.${key}.size"]
      deps: [input, "plan/tasks/library/data.json"]
      outs: ["output_${key}"]
"""
SCRIPT = """
import sys
from pathlib import Path
from typing import Any
from pydantic import BaseModel, ConfigDict
from tinybert.errors import InputError
from tinybert.atomic import atomic_file
from stages.pipeline.stage import Run, run

class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    compute: dict[str, int] = {}
    student: dict[str, int] = {}
    task: dict[str, str] = {}

def main(p: Parameters, run: Run) -> None:
    run.resume.mkdir(parents=True, exist_ok=True)
    match sys.argv[1:]:
        case ["refuse"]:
            raise InputError("row 3: expected a text, got nothing")
        case ["bug"]:
            raise ZeroDivisionError
        case ["full"]:
            raise OSError(28, "No space left on device", "models/teacher")
        case ["edit", text]:
            Path("params.yaml").write_text(text)
        case ["append", name, text]:
            Path(name).write_text(Path(name).read_text() + text)
    with atomic_file("output") as file:
        file.write_text(f"{p.compute} {p.student} {p.task} {run.key!r} {run.resume.parent}")

run(main, Parameters)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {"dvc.yaml": DVC_YAML, "script.py": SCRIPT, "input": "text",
             "params.yaml": "compute: {threads: 3, other: 4}\nstudents: {small: {size: 5, more: 6}}\n",
             "plan/tasks/library/data.json": '{"kind": "ner"}',
             "stages/coded.py": f"import stages.other\n{SCRIPT}", "stages/other.py": "NUMBER = 1\n"}  # fmt: skip
    toy.make(tmp_path, files)
    (tmp_path / "plan/code").mkdir()
    (tmp_path / "plan/code/coded.json").write_text(json.dumps(Code(tmp_path).closure("stages/coded.py")))
    return tmp_path


def start(project: Path, name: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | ({"DVC_STAGE": name} if name else {})
    script = ["-m", "stages.coded"] if name == "coded" else ["script.py"]
    command = [sys.executable, *script, *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)


def output(project: Path, name: str, *arguments: str) -> str:
    """What the stage has written, without a message."""
    result = start(project, name, *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return (project / "output").read_text()


def error(project: Path, name: str | None, *arguments: str) -> str:
    """What a stage without an output has on standard error."""
    result = start(project, name, *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert not (project / "output").exists()
    return result.stderr


def test_a_stage_gets_the_parameters_that_dvc_yaml_names_and_no_others(project: Path):
    assert output(project, "plain") == "{'threads': 3} {} {} '' .state/resume/plain"


def test_one_of_many_gets_its_own_entry_the_numbers_of_its_task_and_its_key(project: Path):
    assert output(project, "many@small") == "{} {'size': 5} {'kind': 'ner'} 'small' .state/resume/many@small"


def test_the_resume_point_is_gone_after_success_and_stays_after_failure(project: Path):
    assert start(project, "plain", "refuse").returncode == 1
    assert len(list((project / ".state/resume/plain").iterdir())) == 1
    (project / "params.yaml").write_text("compute: {threads: 9}\nstudents: {small: {size: 5}}\n")
    assert start(project, "plain", "refuse").returncode == 1
    assert len(list((project / ".state/resume/plain").iterdir())) == 2, "other parameters have another resume point"
    assert start(project, "plain").returncode == 0
    assert not (project / ".state/resume/plain").exists()


def test_the_last_duration_is_noted_and_whether_the_stage_was_resumed(project: Path):
    def resumed() -> dict[str, bool]:
        notes = durations.read(project / ".state/durations")
        assert all(0 <= note["seconds"] < 60 for note in notes.values())
        return {stage: note["resumed"] for stage, note in notes.items()}

    assert start(project, "plain", "refuse").returncode == 1
    assert resumed() == {}
    assert start(project, "plain").returncode == start(project, "many@small").returncode == 0
    assert resumed() == {"plain": True, "many@small": False}
    assert start(project, "plain").returncode == 0
    assert resumed() == {"plain": False, "many@small": False}


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("many@small", "refuse", "row 3: expected a text, got nothing"),
        ("plain", "full", "no space left on the device: models/teacher; no partial output remains; "
                          "run `dvc repro` again when that is fixed"),
    ],
)  # fmt: skip
def test_input_and_environment_errors_are_one_line(project: Path, name: str, argument: str, expected: str):
    assert error(project, name, argument) == f"ERROR: {name}: {expected}\n"


def test_a_bug_keeps_its_traceback(project: Path):
    message = error(project, "plain", "bug")
    assert message.startswith("Traceback") and message.endswith("ZeroDivisionError\n")


def test_outside_dvc_a_script_refuses_to_run(project: Path):
    expected = "this is a stage of a DVC pipeline; run `dvc repro`, which tells it its name and parameters"
    assert error(project, None) == f"ERROR: script.py: {expected}\n"


def test_a_parameter_of_the_wrong_type_is_named_with_its_key(project: Path):
    (project / "params.yaml").write_text("compute: {threads: auto}\nstudents: {small: {size: 5}}\n")
    expected = "params.yaml is not valid:\n  compute.threads: expected a valid integer, got 'auto'"
    assert error(project, "plain") == f"ERROR: plain: {expected}\n"


@pytest.mark.parametrize(("name", "file"), [("plain", "input"), ("many@small", "plan/tasks/library/data.json")])
def test_a_missing_dependency_is_named(project: Path, name: str, file: str):
    (project / file).unlink()
    assert error(project, name) == f"ERROR: {name}: {file} does not exist; this stage depends on it\n"


CHANGED = "ERROR: coded: code changed since plan ran (stages/other.py); run `dvc repro` again\n"


def test_code_edited_between_plan_and_stage_fails_the_stage_before_it_writes(project: Path):
    (project / "stages/other.py").write_text('"""A docstring."""\n\nNUMBER = 1  # a comment\n')
    output(project, "coded")
    (project / "output").unlink()
    (project / "stages/other.py").write_text("NUMBER = 2\n")
    assert error(project, "coded") == CHANGED


def test_code_edited_while_the_stage_runs_fails_it_and_removes_its_output(project: Path):
    output(project, "coded", "append", "tinybert/model/size.py", "OTHER = 2\n")  # which it does not import
    assert error(project, "coded", "append", "stages/other.py", "OTHER = 2\n") == CHANGED


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("append", "input", "more"), "input changed while the stage was running"),
        (("edit", "compute: {threads: 9, other: 4}\n"), "compute.threads in params.yaml changed while the stage was"),
        (("edit", "compute: {other: 4}\n"), "compute in params.yaml changed while"),
        (("edit", "compute: {threads: 3\n"), "params.yaml cannot be read: "),
    ],
)
def test_an_input_that_changes_meanwhile_fails_the_stage(project: Path, arguments: list[str], expected: str):
    message = error(project, "plain", *arguments)
    assert message.startswith(f"ERROR: plain: {expected}") and "Traceback" not in message


def test_a_parameter_of_another_stage_may_change_meanwhile(project: Path):
    output(project, "plain", "edit", "compute: {threads: 3, other: 5}\n")
