"""Two processes learn what one learns, and go on after a kill as if there had been none."""

import csv
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.stages.many_processes.launched import STAGES, Machine, ended_well, project

CURVES = [
    "reports/pretrain/curve.tsv",
    "reports/distill/s/curve.tsv",
    "reports/tasks/t/teacher/curve.tsv",
    "reports/tasks/t/students/s/intermediate_curve.tsv",
    "reports/tasks/t/students/s/curve.tsv",
]
MODELS = ["models/teacher", "models/students/s", "models/tasks/t/teacher", "models/tasks/t/students/s"]
TRAININGS = {
    "pretrain": "reports/pretrain",
    "distill s": "reports/distill",
    "s of t, intermediate": "reports/tasks/t/students/s",
    "s of t": "reports/tasks/t/students/s",
}
"""Trainings to kill by their labels, and an output that is not there then."""
DROP = 3


@dataclass
class Ran:
    folder: Path
    said: str

    def curve(self, file: str) -> list[dict[str, float]]:
        with open(self.folder / file, newline="") as table:
            rows = csv.DictReader(table, delimiter="\t")
            return [{name: float(value) for name, value in row.items() if value} for row in rows]

    def outputs(self) -> dict[str, bytes]:
        files = [path for room in ("models", "reports") for path in (self.folder / room).rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = project(tmp_path_factory.mktemp("one") / "project", stages=STAGES)
    return Ran(folder, Machine(1).run(folder))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = project(tmp_path_factory.mktemp("two") / "project", stages=STAGES)
    return Ran(folder, Machine(2).run(folder))


@pytest.mark.parametrize("file", CURVES)
def test_the_losses_of_two_processes_are_those_of_one(one: Ran, two: Ran, file: str) -> None:
    assert len(one.curve(file)) > 3
    for ours, wanted in zip(two.curve(file), one.curve(file), strict=True):
        assert ours == pytest.approx(wanted, rel=1e-4, abs=2e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_weights_of_two_processes_are_those_of_one(one: Ran, two: Ran, model: str) -> None:
    ours, wanted = (load_file(ran.folder / model / "model.safetensors") for ran in (two, one))
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-4)


def test_one_process_speaks_and_no_other(one: Ran, two: Ran) -> None:
    def without_speed(said: str) -> list[str]:
        return [line.partition("  ")[0] for line in said.splitlines()]

    assert without_speed(two.said) == without_speed(one.said)


@pytest.mark.parametrize(("label", "unmade"), list(TRAININGS.items()))
def test_two_processes_that_were_killed_go_on_to_the_bytes_of_two_that_were_not(
    two: Ran, tmp_path: Path, label: str, unmade: str
) -> None:
    folder = project(tmp_path / "project", stages=STAGES)
    dropped = Machine(2, environment={"LABEL": label, "DROP": str(DROP)}).start(folder)
    dropped.communicate(timeout=600)
    assert dropped.returncode == -signal.SIGKILL
    assert not (folder / unmade).exists()
    assert f"{label}: resumes after step {DROP - 1}/" in Machine(2).run(folder)
    assert Ran(folder, "").outputs() == two.outputs()


def test_two_machines_with_a_process_each_make_the_outputs_on_both(two: Ran, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = [project(tmp_path / name / "project", stages=["pretrain"]) for name in ("first", "second")]
    started = [Machine(2, machines=2, rank=n, port=port).start(folder) for n, folder in enumerate(folders)]
    for process, folder in zip(started, folders, strict=True):
        ended_well(process)
        outputs = Ran(folder, "").outputs()
        made = {file: content for file, content in outputs.items() if "pretrain" in file or "models/teacher/" in file}
        assert len(made) > 5
        assert made == {file: content for file, content in two.outputs().items() if file in made}
