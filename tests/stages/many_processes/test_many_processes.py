"""Two processes compute what one computes, resume with the same bytes after a kill, and report an error once."""

import csv
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from benchmarks.clones import ROOT
from tests.stages.many_processes import tiny

DVC_YAML = """
stages:
  all:
    cmd: python -m tests.stages.many_processes.program
    params: [stages, together]
    deps: [data/packed]
    outs: [models/tasks]
"""
STUDENT = "reports/tasks/t/students/s"
CURVES = [
    *(f"reports/{name}/curve.tsv" for name in ("pretrain", "distill/s", "tasks/t/teacher", "tasks/t/students/s")),
    f"{STUDENT}/intermediate_curve.tsv",
]
MODELS = ["models/teacher", "models/students/s", "models/tasks/t/teacher", "models/tasks/t/students/s"]
TRAININGS = {
    "pretrain": "reports/pretrain",
    "distill s": "reports/distill",
    "s of t, intermediate": STUDENT,
    "s of t": STUDENT,
}
"""Trainings to kill by their labels, and an output that is not there then."""
DROP = 3


def project(folder: Path, *, stages: list[str] = tiny.STAGES, together: bool | None = None) -> Path:
    tiny.make(folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text(yaml.safe_dump({"stages": stages, "together": together}))
    return folder


@dataclass
class Machine:
    """What `accelerate config` writes, for processes on the CPU, and `launch` of compute.local.yaml."""

    processes: int
    machines: int = 1
    launch: list[str] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, folder: Path) -> subprocess.Popen[str]:
        """The program in `folder`, with standard error in its output."""
        config = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_CPU", "mixed_precision": "no",
                  "use_cpu": True, "debug": False, "num_processes": self.processes, "num_machines": self.machines,
                  "machine_rank": 0, "main_process_ip": "127.0.0.1", "main_process_port": 1,
                  "same_network": True, "rdzv_backend": "static"}  # fmt: skip
        home = folder / "home"
        (home / "accelerate").mkdir(parents=True, exist_ok=True)
        (home / "accelerate/default_config.yaml").write_text(yaml.safe_dump(config))
        if self.launch:
            (folder / "compute.local.yaml").write_text(yaml.safe_dump({"launch": self.launch}))
        own = {"DVC_STAGE": "all", "HF_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
               "ACCELERATE_USE_CPU": "true"}  # fmt: skip
        command = [sys.executable, "-m", "tests.stages.many_processes.program"]
        return subprocess.Popen(command, cwd=folder, env=os.environ | own | self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def output(process: subprocess.Popen[str], *, code: int = 0) -> str:
    """All of it, from a process that has to end with this code."""
    text = process.communicate(timeout=600)[0]
    assert process.returncode == code, text
    return text


@dataclass
class Finished:
    folder: Path
    text: str = ""

    def curve(self, file: str) -> list[dict[str, float]]:
        with open(self.folder / file, newline="") as table:
            rows = csv.DictReader(table, delimiter="\t")
            return [{name: float(value) for name, value in row.items() if value} for row in rows]

    def outputs(self) -> dict[str, bytes]:
        paths = [path for name in ("models", "reports") for path in (self.folder / name).rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Finished]:
    """In one process and in two."""
    folders = {count: project(tmp_path_factory.mktemp("run") / "project") for count in (1, 2)}
    return [Finished(folder, output(Machine(count).start(folder))) for count, folder in folders.items()]


@pytest.mark.parametrize("file", CURVES)
def test_the_losses_of_two_processes_are_those_of_one(runs: list[Finished], file: str) -> None:
    one, two = (run.curve(file) for run in runs)
    assert len(one) > 3
    for actual, expected in zip(two, one, strict=True):
        assert actual == pytest.approx(expected, rel=1e-4, abs=2e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_weights_of_two_processes_are_those_of_one(runs: list[Finished], model: str) -> None:
    one, two = (load_file(run.folder / model / "model.safetensors") for run in runs)
    torch.testing.assert_close(two, one, rtol=0, atol=1e-4)


def test_students_of_one_pass_in_two_processes_are_those_that_one_process_trains_each_by_itself(tmp_path: Path) -> None:
    folders = {count: project(tmp_path / f"{count}" / "project", stages=[], together=count == 2) for count in (1, 2)}
    _, two = [output(Machine(count).start(folder)) for count, folder in folders.items()]
    last = f"step {tiny.STEPS}/{tiny.STEPS}"
    trained, found = f"distill own: {last}", f"distill own: resumes after {last}"
    assert two.count(trained) == two.count(found) == 1
    for name in tiny.STUDENTS:
        alone, together = (load_file(f / "models/students" / name / "model.safetensors") for f in folders.values())
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_only_the_first_process_prints(runs: list[Finished]) -> None:
    one, two = ([line.partition("  ")[0] for line in run.text.splitlines()] for run in runs)  # without the speed
    assert two == one


def test_two_processes_killed_in_each_training_resume_with_the_bytes_of_an_undisturbed_run(
    runs: list[Finished], tmp_path: Path
) -> None:
    """Each run goes on with the training that was killed before, and is killed in the next."""
    folder, before = project(tmp_path / "project"), ""
    for label, missing in TRAININGS.items():
        text = output(Machine(2, environment={"LABEL": label, "DROP": str(DROP)}).start(folder), code=-signal.SIGKILL)
        assert not before or f"{before}: resumes after step {DROP - 1}/" in text
        assert not (folder / missing).exists()
        before = label
    assert f"{before}: resumes after step {DROP - 1}/" in output(Machine(2).start(folder))
    assert Finished(folder).outputs() == runs[1].outputs()


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("failing") / "project", stages=[])


def message(failing: Path, fail: str) -> str:
    return output(Machine(2, environment={"FAIL": fail}).start(failing), code=1)


def test_an_error_of_the_environment_is_one_line(failing: Path) -> None:
    """As one of the input, which is reported the same way once it is explained."""
    assert message(failing, "disk") == (
        "ERROR: all: no space left on the device: models/teacher; no partial output remains; "
        "run `dvc repro` again when that is fixed\n"
    )


def test_a_bug_keeps_its_traceback_and_ends_the_other_process(failing: Path) -> None:
    text = message(failing, "bug")
    assert text.count("Traceback (most recent call last)") == 1
    assert "ZeroDivisionError" in text
    assert text.splitlines()[-1].startswith("ERROR: all: process 1 has failed")


def test_a_killed_process_ends_the_other(failing: Path) -> None:
    text = message(failing, "kill")
    assert text.count("\n") == 1
    assert text.startswith("ERROR: all: process 1 has failed") and "SIGKILL" in text
