"""A script as DVC runs it: its parameters, its key, its one line of error, and what it does when things change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.pipeline import durations

ROOT = Path(__file__).parents[2]
DVC_YAML = """
stages:
  plain:
    cmd: python script.py
    params: [compute.threads]
    deps: [input]
    outs: [output]
  many:
    foreach: ${tasks}
    do:
      cmd: python script.py
      params: ["tasks.${key}.size"]
      deps: [input]
      outs: ["output_${key}"]
"""
SCRIPT = """
import sys
from pathlib import Path
from typing import Any
from pydantic import BaseModel, ConfigDict
from stages.pipeline.errors import InputError
from stages.pipeline.outputs import whole
from stages.pipeline.stage import Run, run

class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    compute: dict[str, int] = {}
    task: dict[str, int] = {}

def main(p: Parameters, run: Run) -> None:
    run.resume.mkdir(parents=True, exist_ok=True)
    match sys.argv[1:]:
        case ["refuse"]:
            raise InputError("row 3 is empty; wanted is a text")
        case ["bug"]:
            raise ZeroDivisionError
        case ["full"]:
            raise OSError(28, "No space left on device", "models/teacher")
        case ["edit", text]:
            Path("params.yaml").write_text(text)
        case ["drift"]:
            Path("input").write_text("changed")
    with whole("output") as file:
        file.write_text(f"{p.compute} {p.task} {run.key!r} {run.resume.parent}")

run(main, Parameters)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "stages/pipeline", tmp_path / "stages/pipeline")
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    files = {"dvc.yaml": DVC_YAML, "script.py": SCRIPT, "input": "text",
             "params.yaml": "compute: {threads: 3, other: 4}\ntasks: {library: {size: 5, more: 6}}\n"}  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def ran(project: Path, name: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    environment |= {"DVC_STAGE": name} if name else {}
    command = [sys.executable, "script.py", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)


def test_a_stage_gets_the_parameters_that_dvc_yaml_names_and_no_others(project: Path):
    assert ran(project, "plain").stderr == ""
    assert (project / "output").read_text() == "{'threads': 3} {} '' .state/resume/plain"


def test_one_of_many_gets_its_own_under_one_name_and_its_key(project: Path):
    assert ran(project, "many@library").stderr == ""
    assert (project / "output").read_text() == "{} {'size': 5} 'library' .state/resume/many@library"


def test_the_resume_point_is_gone_after_success_and_stays_after_failure(project: Path):
    assert ran(project, "plain", "refuse").returncode == 1
    assert len(list((project / ".state/resume/plain").iterdir())) == 1
    (project / "params.yaml").write_text("compute: {threads: 9}\ntasks: {library: {size: 5}}\n")
    assert ran(project, "plain", "refuse").returncode == 1
    assert len(list((project / ".state/resume/plain").iterdir())) == 2, "other parameters have another resume point"
    assert ran(project, "plain").returncode == 0
    assert not (project / ".state/resume/plain").exists()


def test_how_long_it_took_is_noted_and_whether_it_went_on_from_a_resume_point(project: Path):
    assert ran(project, "plain", "refuse").returncode == 1
    assert not (project / ".state/durations").exists()
    assert ran(project, "plain").returncode == ran(project, "many@library").returncode == 0
    notes = durations.read(project / ".state/durations")
    assert {stage: note["resumed"] for stage, note in notes.items()} == {"plain": True, "many@library": False}
    assert all(0 <= note["seconds"] < 60 for note in notes.values())


def test_outside_dvc_it_says_so_in_one_line(project: Path):
    result = ran(project, None)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "ERROR: script.py: this is a stage of a DVC pipeline; run `dvc repro`, which tells it its name and parameters\n"
    )


def test_wrong_input_is_said_in_one_line(project: Path):
    result = ran(project, "many@library", "refuse")
    assert result.returncode == 1
    assert result.stderr == "ERROR: many@library: row 3 is empty; wanted is a text\n"
    assert not (project / "output").exists()


def test_a_bug_of_ours_keeps_its_traceback(project: Path):
    result = ran(project, "plain", "bug")
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback") and result.stderr.endswith("ZeroDivisionError\n")


def test_a_trouble_of_the_machine_is_said_in_one_line(project: Path):
    result = ran(project, "plain", "full")
    assert result.returncode == 1
    assert result.stderr == (
        "ERROR: plain: no space left on the device: models/teacher; nothing half-written was left; "
        "run `dvc repro` again when that is mended\n"
    )


def test_a_parameter_of_the_wrong_type_is_said_with_its_key(project: Path):
    (project / "params.yaml").write_text("compute: {threads: auto}\ntasks: {library: {size: 5}}\n")
    result = ran(project, "plain")
    assert result.returncode == 1
    assert result.stderr == (
        "ERROR: plain: params.yaml is not valid:\n  compute.threads: got 'auto', should be a valid integer\n"
    )


def test_a_dependency_that_changes_meanwhile_fails_the_stage(project: Path):
    result = ran(project, "plain", "drift")
    assert result.returncode == 1
    assert result.stderr.startswith("ERROR: plain: input changed while the stage was running")
    assert not (project / "output").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("compute: {threads: 9, other: 4}\n", "compute.threads in params.yaml changed while the stage was running"),
        ("compute: {other: 4}\n", "compute in params.yaml changed while"),
        ("compute: {threads: 3\n", "params.yaml cannot be read: "),
    ],
)
def test_a_parameter_that_changes_meanwhile_is_named_and_no_output_is_kept(project: Path, text: str, says: str):
    result = ran(project, "plain", "edit", text)
    assert result.returncode == 1
    assert result.stderr.startswith(f"ERROR: plain: {says}") and "Traceback" not in result.stderr
    assert not (project / "output").exists()


def test_a_parameter_of_another_stage_may_change_meanwhile(project: Path):
    assert ran(project, "plain", "edit", "compute: {threads: 3, other: 5}\n").stderr == ""
    assert (project / "output").exists()


def test_a_dependency_that_is_not_there_is_named(project: Path):
    (project / "input").unlink()
    assert ran(project, "plain").stderr == "ERROR: plain: input does not exist; this stage depends on it\n"
