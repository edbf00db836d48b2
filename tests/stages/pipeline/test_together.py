"""Which other instances of a stage of many one that trains is told of, in a project that the real dvc runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks.clones import ENVIRONMENT, edit, stages_run
from stages.pipeline import stage
from tests.stages.pipeline import toy

DVC_YAML = """
stages:
  learn:
    foreach: ${students}
    do:
      cmd: exec python script.py
      params: ["students.${key}.size"]
      deps: [shared, "shrunk/${key}"]
      outs: ["learnt/${key}"]
"""
SCRIPT = """
import os
from pathlib import Path
from pydantic import BaseModel
from tinybert.errors import InputError
from stages.pipeline.stage import Run, run

class Parameters(BaseModel):
    student: dict[str, int]

def main(p: Parameters, run: Run) -> None:
    print(f"{run.key} trains along:", *(f"{other.key}={other.parameters.student['size']}" for other in run.others))
    for other in run.others:
        other.resume.mkdir(parents=True, exist_ok=True)
        if other.parameters.student["size"] < 90:
            other.set_finished()
    if text := os.environ.get("CHANGE"):
        Path("shrunk/c").write_text(text)
    if run.key == os.environ.get("FAIL"):
        raise InputError("this one diverges")
    Path("learnt").mkdir(exist_ok=True)
    (Path("learnt") / run.key).write_text(str(p.student))

run(main, Parameters, trains=True, together=True)
"""
HOLD = """
import time
from stages.pipeline.stage import exclusive
with exclusive("learn@b"):
    print("held", flush=True)
    time.sleep(60)
"""

pytestmark = pytest.mark.dvc


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {"dvc.yaml": DVC_YAML, "script.py": SCRIPT, "shared": "text", **{f"shrunk/{name}": name for name in "abc"}}
    toy.make(tmp_path, files)
    YAML(typ="safe").dump({"students": {name: {"size": 1} for name in "abc"}}, tmp_path / "params.yaml")
    return tmp_path


def repro(project: Path, *targets: str, code: int = 0, **environment: str) -> str:
    """Output of a `dvc repro` that ends with this code."""
    done = subprocess.run(["dvc", "repro", *targets], cwd=project, env=ENVIRONMENT | environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def along(output: str) -> dict[str, list[str]]:
    """By the instance that ran, those that it was told of."""
    lines = [line.partition(" trains along:") for line in output.splitlines() if " trains along:" in line]
    return {key: others.split() for key, _, others in lines}


def test_the_first_trains_all_that_are_due_and_the_others_nobody(project: Path) -> None:
    assert along(repro(project)) == {"a": ["b=1", "c=1"], "b": [], "c": []}
    assert not [*(project / stage.STATE / "resume").iterdir()]
    edit(project, {"students.b.size": 2, "students.c.size": 3})
    assert along(repro(project, "learn@c")) == {"c": ["b=2"]}
    assert along(repro(project)) == {"b": []}


def test_one_that_is_not_finished_is_trained_along_again(project: Path) -> None:
    edit(project, {"students.c.size": 90})
    assert along(repro(project)) == {"a": ["b=1", "c=90"], "b": ["c=90"], "c": []}


def test_what_dvc_would_not_run_is_not_trained_along(project: Path) -> None:
    repro(project)
    edit(project, {"students.b.size": 2})
    repro(project)
    edit(project, {"students.a.size": 2, "students.b.size": 1})
    output = repro(project)
    assert along(output) == {"a": []}, "DVC has the run of b in its cache"
    assert "'learn@b' is cached" in output
    (project / "shrunk/b").unlink()
    edit(project, {"students.a.size": 3, "students.b.size": 4})
    assert along(repro(project, "learn@a")) == {"a": []}, "b cannot run"


def test_one_that_is_locked_or_refused_is_left_to_its_own_stage(project: Path) -> None:
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, env=ENVIRONMENT) as holder:
        assert holder.stdout and holder.stdout.readline()
        edit(project, {"students.c.size": "many"})
        assert along(repro(project, "learn@a")) == {"a": []}
        holder.kill()
    refusal = repro(project, "learn@c", code=255)
    assert "ERROR: learn@c: params.yaml" in refusal and along(refusal) == {}


def test_alone_by_request(project: Path) -> None:
    assert along(repro(project, code=0, **{stage.ALONE: "1"})) == {name: [] for name in "abc"}


def test_a_resume_point_is_dropped_where_what_it_was_made_of_has_changed(project: Path) -> None:
    points = project / stage.STATE / "resume"
    repro(project, "learn@a", code=255, FAIL="a", CHANGE="another")
    assert len([*points.glob("learn@b/*")]) == 1 and not [*points.glob("learn@c/*")]
    assert stages_run(repro(project, "learn@b")) == {"learn@b"}
    assert sorted(os.listdir(points)) == ["learn@a", "learn@c"], "which b has trained along"
