"""The past of a small repository as a page."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, WHY_NOT, opened
from tests.reporting.finished import HOSTILE
from tests.tools.repository import ENVIRONMENT, commit, git, past, write
from tools.history import page
from tools.revisions import revisions

ROOT = Path(__file__).parents[2]
SUBJECT = HOSTILE[:60]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("past")
    past(folder, subject=SUBJECT)
    return folder


def test_commits_with_metrics_come_oldest_first_then_experiments(repository: Path) -> None:
    found = revisions(repository, last=20)
    assert [one.subject for one in found] == ["The first run", SUBJECT, "dvc: commit experiment"]
    assert found[-1].name == "lucky-name"
    assert found[0].date == "2024-05-06"
    assert found[1].metrics["library"]["student"]["score"] == pytest.approx(0.64)


def test_a_revision_says_which_parameters_it_changed(repository: Path) -> None:
    first, second, tried = revisions(repository, last=20)
    assert first.changed == []
    assert second.changed == ["shrink.num_hidden_layers: 4 \u2192 2"]
    assert tried.changed == ["shrink.num_hidden_layers: 2 \u2192 1"]


def test_as_many_as_asked_for_and_the_oldest_of_them_still_has_its_change(repository: Path) -> None:
    (commit_, tried) = revisions(repository, last=1)
    assert (commit_.subject, tried.name) == (SUBJECT, "lucky-name")
    assert commit_.changed == ["shrink.num_hidden_layers: 4 \u2192 2"]


def test_a_file_of_metrics_that_is_not_json_is_left_out(tmp_path: Path) -> None:
    past(tmp_path)
    (tmp_path / "reports/metrics/library/student.json").write_text("<<<<<<< ours\n")
    commit(tmp_path, "A merge that nobody looked at")
    assert set(revisions(tmp_path, last=20)[-2].metrics["library"]) == {"teacher"}


def test_a_task_that_came_later_and_a_commit_without_yaml(tmp_path: Path) -> None:
    past(tmp_path)
    write(tmp_path, layers=2, score=0.4, task="entities")
    (tmp_path / "params.yaml").write_text("a: [\n")
    commit(tmp_path, "A second task")
    found = revisions(tmp_path, last=20)
    assert set(found[-2].metrics) == {"library", "entities"}
    text = page(found, {})
    assert text.count("<figure>") == 2
    assert "0.390" in text


def test_the_page_has_numbers_of_every_revision_and_is_the_same_again(repository: Path) -> None:
    found = revisions(repository, last=20)
    text = page(found, {"pretrain": {"seconds": 12.34, "resumed": True}})
    assert all(number in text for number in ("0.700", "0.640", "0.490", "0.670 to 0.730", "98.0%", "1.52 M", "12.3"))
    assert text == page(found, {"pretrain": {"seconds": 12.34, "resumed": True}})
    assert "What each stage took" not in page(found, {})


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "tools.history", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_command_writes_the_page(repository: Path) -> None:
    done = command(repository, "--last", "5")
    assert (done.returncode, done.stdout) == (0, "reports/history.html: 3 revision(s)\n"), done.stderr
    assert "lucky-name" in (repository / "reports/history.html").read_text(encoding="utf-8")


def test_where_nothing_ran_yet_it_says_what_to_do(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a")
    commit(tmp_path, "Begin")
    done = command(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "no commit has metrics yet: run `dvc repro` and commit reports/metrics\n"


def test_outside_a_repository_it_says_so(tmp_path: Path) -> None:
    done = command(tmp_path)
    assert done.returncode == 1
    assert "not a git repository" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_it_is_quiet_alone_and_fits(repository: Path, tmp_path: Path, width: int) -> None:
    file = tmp_path / "history.html"
    file.write_text(page(revisions(repository, last=20), {}), encoding="utf-8")
    with opened(file, width=width) as found:
        assert (found.console, found.requests) == ([], [file.as_uri()])
        assert found.ask("document.documentElement.scrollWidth") == width
        assert found.ask("document.querySelectorAll('figure svg path').length") > 10
        assert SUBJECT in found.ask("document.body.innerText")
