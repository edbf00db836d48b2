"""What goes wrong in several processes is said once."""

from pathlib import Path

import pytest

from tests.stages.many_processes.launched import Machine, project

EXPECTED = {
    "input": "ERROR: all: row 3: expected one of ['one'], got nothing\n",
    "disk": "ERROR: all: no space left on the device: models/teacher; nothing half-written was left; "
    "run `dvc repro` again when that is fixed\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("failing") / "project", stages=["one"])


def said(folder: Path, fail: str) -> str:
    process = Machine(2, environment={"FAIL": fail}).start(folder, program="failing")
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 1
    return output


@pytest.mark.parametrize("fail", list(EXPECTED))
def test_what_a_user_can_mend_is_said_in_one_line(folder: Path, fail: str) -> None:
    assert said(folder, fail) == EXPECTED[fail]


def test_a_bug_of_ours_keeps_its_traceback_and_ends_the_others(folder: Path) -> None:
    output = said(folder, "bug")
    assert output.count("Traceback (most recent call last)") == 1
    assert "ZeroDivisionError" in output
    assert output.splitlines()[-1].startswith("ERROR: all: process 1 has failed")


def test_a_process_that_was_killed_ends_the_others(folder: Path) -> None:
    output = said(folder, "kill")
    assert output.count("\n") == 1
    assert output.startswith("ERROR: all: process 1 has failed") and "SIGKILL" in output
