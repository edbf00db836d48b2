"""`python -m tools.tidy` removes what a removed task left behind, and nothing else."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from benchmarks.clones import stages_run
from stages.pipeline.dependencies import content_hash
from tests.sharing.pipeline import call, edited, files, read
from tests.sharing.team import recipe, shell
from tools import tidy

pytestmark = [pytest.mark.dvc, pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")]

LEFT = {"data/tasks/blue/rows", "reports/tasks/blue/score.json"}


@pytest.fixture
def without_blue(light: Path) -> Path:
    """A pipeline whose task `blue` was removed from params.yaml."""
    with edited(light, "params.yaml") as parameters:
        del parameters["tasks"]["blue"]
    return light


def test_without_remove_it_only_says_what_it_would_do(without_blue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(without_blue)
    call(tidy, without_blue)
    said = capsys.readouterr().out
    assert files(without_blue) == before
    for line in (
        "dvc.lock: prepare@blue",
        "dvc.lock: evaluate@blue",
        ": data/tasks/blue",
        ": reports/tasks/blue/score",
    ):
        assert f"would remove{' from ' if 'lock' in line else ''}{line}" in said
    assert "red" not in said


def test_entries_and_outputs_go_and_nothing_else_changes(
    without_blue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("data/tasks/mine/rows", "data/raw/own.csv", "models/tasks/blue/notes.txt", "reports/tasks/mine.json"):
        (without_blue / name).parent.mkdir(parents=True, exist_ok=True)
        (without_blue / name).write_text("by hand")
    before = files(without_blue)
    call(tidy, without_blue, "--remove")
    after = files(without_blue)
    assert before.keys() - after.keys() == LEFT
    assert {name for name in after if after[name] != before[name]} == {"dvc.lock"}
    assert not (without_blue / "reports/tasks/blue").exists()
    assert set(read(without_blue, "dvc.lock")["stages"]) == {"prepare@red", "evaluate@red", "report"}
    capsys.readouterr()
    call(tidy, without_blue)
    assert capsys.readouterr().out == "nothing left\n"


def test_what_was_changed_after_a_stage_wrote_it_stays(without_blue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (without_blue / "data/tasks/blue/corrections").write_text("by hand")
    call(tidy, without_blue, "--remove")
    assert "stays, since it was changed after a stage wrote it: data/tasks/blue" in capsys.readouterr().out
    assert (without_blue / "data/tasks/blue/rows").exists()


@pytest.mark.parametrize("suffix", ["", ".dir"])
def test_the_only_copy_stays(without_blue: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    """After a `dvc gc`, say: the list of a folder's files may be there, and a file not."""
    rows = content_hash(without_blue / f"data/tasks/blue{'' if suffix else '/rows'}")
    (without_blue / ".dvc/cache/files/md5" / rows[:2] / rows[2:]).unlink()
    call(tidy, without_blue, "--remove")
    assert "stays, since DVC's cache does not have it: data/tasks/blue" in capsys.readouterr().out
    assert (without_blue / "data/tasks/blue/rows").exists()


def test_what_git_keeps_and_what_dvc_add_took_over_stays(without_blue: Path) -> None:
    shell(without_blue, "git add -f reports/tasks/blue; dvc add -q data/tasks/blue")
    before = files(without_blue)
    call(tidy, without_blue, "--remove")
    assert LEFT <= before.keys() & files(without_blue).keys()


def test_outputs_whose_entry_is_gone_are_known_from_older_versions(without_blue: Path) -> None:
    with edited(without_blue, "dvc.lock") as lock:
        lock["stages"] = {name: entry for name, entry in lock["stages"].items() if "blue" not in name}
    shell(without_blue, "git commit -qam 'Entries removed by hand'")
    before = files(without_blue)
    call(tidy, without_blue, "--remove")
    assert before.keys() - files(without_blue).keys() == LEFT


def test_after_it_dvc_is_clean_and_the_way_back_runs_no_stage_of_the_task(without_blue: Path) -> None:
    call(tidy, without_blue, "--remove")
    assert stages_run(shell(without_blue, "dvc repro")) == {"report"}
    assert "up to date" in shell(without_blue, "dvc status")
    shell(without_blue, "git checkout -q params.yaml")
    assert stages_run(shell(without_blue, "dvc repro")) <= {"report"}


def test_the_commands_of_the_document_do_that(without_blue: Path) -> None:
    shell(without_blue, recipe("docs/team.md", "Tasks and sources that were removed"))
    assert LEFT & files(without_blue).keys() == set()


def test_while_dvc_runs_it_is_refused(without_blue: Path) -> None:
    before = files(without_blue)
    with Repo(str(without_blue)) as repo, repo.lock, pytest.raises(SystemExit, match="ERROR: "):
        call(tidy, without_blue, "--remove")
    assert files(without_blue) == before


@pytest.mark.parametrize("file", ["params.yaml", "dvc.yaml", "dvc.lock"])
def test_a_broken_file_is_named_and_nothing_is_removed(without_blue: Path, file: str) -> None:
    (without_blue / file).write_text("<<<<<<< ours\n")
    before = files(without_blue)
    with pytest.raises(SystemExit, match=f"(?s)ERROR: .*{file}"):
        call(tidy, without_blue, "--remove")
    assert files(without_blue) == before
