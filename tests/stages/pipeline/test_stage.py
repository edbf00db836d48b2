"""A script as DVC runs it: its parameters, its key, its one line of error, and what happens when things change."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.pipeline import durations
from stages.pipeline.closure import Code

ROOT = Path(__file__).parents[3]
DVC_YAML = """
stages:
  plain:
    cmd: python script.py
    params: [compute.threads]
    deps: [input]
    outs: [output]
  many:
    foreach: ${students}
    do:
      cmd: python script.py
      params: ["students.${key}.size"]
      deps: [input, "plan/tasks/library/data.json"]
      outs: ["output_${key}"]
  coded:
    cmd: python -m stages.coded
    deps: [plan/code/coded.json]
    outs: [output]
"""
SCRIPT = """
import sys
from pathlib import Path
from typing import Any
from pydantic import BaseModel, ConfigDict
from tinybert.errors import InputError
from stages.pipeline.outputs import atomic_file
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
    shutil.copytree(ROOT / "stages/pipeline", tmp_path / "stages/pipeline")
    shutil.copytree(ROOT / "tinybert", tmp_path / "tinybert", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    files = {"dvc.yaml": DVC_YAML, "script.py": SCRIPT, "input": "text",
             "params.yaml": "compute: {threads: 3, other: 4}\nstudents: {small: {size: 5, more: 6}}\n",
             "plan/tasks/library/data.json": '{"kind": "ner"}',
             "stages/coded.py": f"import stages.other\n{SCRIPT}", "stages/other.py": "NUMBER = 1\n"}  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "plan/code").mkdir()
    (tmp_path / "plan/code/coded.json").write_text(json.dumps(Code(tmp_path).closure("stages/coded.py")))
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def ran(project: Path, name: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    environment |= {"DVC_STAGE": name} if name else {}
    script = ["-m", "stages.coded"] if name == "coded" else ["script.py"]
    command = [sys.executable, *script, *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)


def test_a_stage_gets_the_parameters_that_dvc_yaml_names_and_no_others(project: Path):
    assert ran(project, "plain").stderr == ""
    assert (project / "output").read_text() == "{'threads': 3} {} {} '' .state/resume/plain"


def test_one_of_many_gets_its_own_entry_what_the_plan_says_of_its_task_and_its_key(project: Path):
    assert ran(project, "many@small").stderr == ""
    assert (project / "output").read_text() == "{} {'size': 5} {'kind': 'ner'} 'small' .state/resume/many@small"


def test_a_task_that_the_plan_does_not_have_is_said(project: Path):
    (project / "plan/tasks/library/data.json").unlink()
    expected = "plan/tasks/library/data.json does not exist; this stage depends on it"
    assert ran(project, "many@small").stderr == f"ERROR: many@small: {expected}\n"


def test_the_resume_point_is_gone_after_success_and_stays_after_failure(project: Path):
    assert ran(project, "plain", "refuse").returncode == 1
    assert len(list((project / ".state/resume/plain").iterdir())) == 1
    (project / "params.yaml").write_text("compute: {threads: 9}\nstudents: {small: {size: 5}}\n")
    assert ran(project, "plain", "refuse").returncode == 1
    assert len(list((project / ".state/resume/plain").iterdir())) == 2, "other parameters have another resume point"
    assert ran(project, "plain").returncode == 0
    assert not (project / ".state/resume/plain").exists()


def test_how_long_it_took_is_noted_and_whether_it_went_on_from_a_resume_point(project: Path):
    assert ran(project, "plain", "refuse").returncode == 1
    assert not (project / ".state/durations").exists()
    assert ran(project, "plain").returncode == ran(project, "many@small").returncode == 0
    notes = durations.read(project / ".state/durations")
    assert {stage: note["resumed"] for stage, note in notes.items()} == {"plain": True, "many@small": False}
    assert all(0 <= note["seconds"] < 60 for note in notes.values())


def test_outside_dvc_it_says_so_in_one_line(project: Path):
    result = ran(project, None)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "ERROR: script.py: this is a stage of a DVC pipeline; run `dvc repro`, which tells it its name and parameters\n"
    )


def test_wrong_input_is_said_in_one_line(project: Path):
    result = ran(project, "many@small", "refuse")
    assert result.returncode == 1
    assert result.stderr == "ERROR: many@small: row 3: expected a text, got nothing\n"
    assert not (project / "output").exists()


def test_a_bug_of_ours_keeps_its_traceback(project: Path):
    result = ran(project, "plain", "bug")
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback") and result.stderr.endswith("ZeroDivisionError\n")


def test_an_environment_error_is_said_in_one_line(project: Path):
    result = ran(project, "plain", "full")
    assert result.returncode == 1
    assert result.stderr == (
        "ERROR: plain: no space left on the device: models/teacher; nothing half-written was left; "
        "run `dvc repro` again when that is fixed\n"
    )


def test_a_parameter_of_the_wrong_type_is_said_with_its_key(project: Path):
    (project / "params.yaml").write_text("compute: {threads: auto}\nstudents: {small: {size: 5}}\n")
    result = ran(project, "plain")
    assert result.returncode == 1
    assert result.stderr == (
        "ERROR: plain: params.yaml is not valid:\n  compute.threads: expected a valid integer, got 'auto'\n"
    )


def test_a_dependency_that_changes_meanwhile_fails_the_stage(project: Path):
    result = ran(project, "plain", "append", "input", "more")
    assert result.returncode == 1
    assert result.stderr.startswith("ERROR: plain: input changed while the stage was running")
    assert not (project / "output").exists()


def test_the_code_of_the_plan_runs_whatever_its_comments(project: Path):
    (project / "stages/other.py").write_text('"""A docstring."""\n\nNUMBER = 1  # a comment\n')
    assert ran(project, "coded").stderr == ""
    assert (project / "output").exists()


CHANGED = "ERROR: coded: code changed since plan ran (stages/other.py); run `dvc repro` again\n"


def test_code_edited_between_the_plan_and_the_stage_fails_it_before_it_writes(project: Path):
    (project / "stages/other.py").write_text("NUMBER = 2\n")
    result = ran(project, "coded")
    assert (result.returncode, result.stderr) == (1, CHANGED)
    assert not (project / "output").exists()


def test_code_edited_while_the_stage_runs_fails_it_and_its_output_is_removed(project: Path):
    result = ran(project, "coded", "append", "stages/other.py", "OTHER = 2\n")
    assert (result.returncode, result.stderr) == (1, CHANGED)
    assert not (project / "output").exists()


def test_code_that_the_stage_does_not_import_may_be_edited_meanwhile(project: Path):
    assert ran(project, "coded", "append", "tinybert/model/size.py", "OTHER = 2\n").stderr == ""
    assert (project / "output").exists()


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
