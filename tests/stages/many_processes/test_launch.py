"""Trainings that a command of compute.local.yaml starts compute what Accelerate's launcher on one machine computes."""

import sys
from pathlib import Path

import pytest

from tests.stages.many_processes.test_many_processes import DROP, Finished, Machine, output, project
from tests.waiting import processes_in, wait_for

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
TWO_MACHINES = [sys.executable, "-m", "tests.stages.many_processes.two_machines"]
STAGES = ["pretrain", "distill"]


def machine(launch: list[str], **environment: str) -> Machine:
    return Machine(1, launch=launch, environment=environment)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """By Accelerate's launcher, in two processes."""
    folder = project(tmp_path_factory.mktemp("run") / "project", stages=STAGES)
    return Finished(folder, output(Machine(2).start(folder)))


def test_a_launched_training_has_the_bytes_of_two_processes(expected: Finished, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", stages=STAGES)
    text = output(machine(TORCHRUN).start(folder))
    assert Finished(folder).outputs() == expected.outputs()
    assert text.count("distill s: step 8/8") == expected.text.count("distill s: step 8/8") == 1
    assert not (folder / ".state/launch/all").exists()


def test_after_a_kill_of_the_stage_nothing_lives_and_the_next_run_has_the_same_bytes(
    expected: Finished, tmp_path: Path
) -> None:
    """As by kill -9 of dvc, with which the stage dies."""
    folder = project(tmp_path / "project", stages=STAGES)
    stage = machine(TWO_MACHINES, LABEL="pretrain", STOP=str(DROP)).start(folder)
    wait_for(lambda: (folder / "stopped").exists(), seconds=300)
    started = processes_in(folder)
    assert len(started) >= 6  # the stage, the command, and on each machine torchrun and a process
    stage.kill()
    wait_for(lambda: not processes_in(folder), seconds=120)
    stage.communicate()
    assert f"pretrain: resumes after step {DROP - 1}/" in output(machine(TWO_MACHINES).start(folder))
    assert Finished(folder).outputs() == expected.outputs()


def test_a_killed_rank_ends_all_and_the_next_run_has_the_same_bytes(expected: Finished, tmp_path: Path) -> None:
    folder = project(tmp_path / "project", stages=STAGES)
    text = output(machine(TWO_MACHINES, LABEL="distill s", KILL=str(DROP)).start(folder), code=1)
    assert text.splitlines()[-1].startswith("ERROR: all: ") and "see its output above" in text
    wait_for(lambda: not processes_in(folder), seconds=120)
    assert "distill s: resumes after step " in output(machine(TWO_MACHINES).start(folder))
    assert Finished(folder).outputs() == expected.outputs()


def refused(tmp_path: Path, launch: str, *, machines: int = 1) -> str:
    folder = project(tmp_path / "project", stages=[])
    (folder / "compute.local.yaml").write_text(f"launch: {launch}\n")
    return output(Machine(2, machines).start(folder), code=1)


def test_an_error_that_a_process_reports_is_the_message(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", stages=[])
    text = output(machine(TORCHRUN, FAIL="disk").start(folder), code=1)
    message = "ERROR: all: no space left on the device: models/teacher; no partial output remains; "
    assert text.splitlines()[-1] == message + "run `dvc repro` again when that is fixed"


def test_what_cannot_be_launched_is_refused(tmp_path: Path) -> None:
    missing = "ERROR: all: compute.local.yaml, launch: no-such-command cannot be started (No such file or directory)\n"
    assert refused(tmp_path / "1", "[no-such-command, -n, 2]") == missing
    unset = "the environment has no variable NO_SUCH_HOST, which --endpoint=${NO_SUCH_HOST}:29500 names\n"
    assert refused(tmp_path / "2", "[echo, '--endpoint=${NO_SUCH_HOST}:29500']").endswith(unset)
    invalid = "ERROR: all: compute.local.yaml is not valid:\n  launch: expected a valid list, got 'srun'\n"
    assert refused(tmp_path / "3", "srun") == invalid
    assert "`launch` in compute.local.yaml" in refused(tmp_path / "4", "null", machines=2)
    ended = refused(tmp_path / "5", "['false']")
    assert ended == "ERROR: all: false ended with exit code 1; see its output above\n"
