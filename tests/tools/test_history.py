"""The history of a small repository as a page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, WHY_NOT, opened
from tests.tinybert.reporting.finished import HOSTILE
from tests.tools.repository import ENVIRONMENT, commit, git, history, write
from tools.history import page
from tools.revisions import revisions

ROOT = Path(__file__).parents[2]
SUBJECT = HOSTILE[:60]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    history(folder, subject=SUBJECT)
    return folder


def test_commits_with_metrics_come_oldest_first_then_experiments(repository: Path) -> None:
    first, second, experiment = revisions(repository, last=20)
    assert [first.subject, second.subject, experiment.subject] == ["The first run", SUBJECT, "dvc: commit experiment"]
    assert experiment.name == "lucky-name"
    assert first.date == "2024-05-06"
    assert second.metrics["library"]["small"]["score"] == pytest.approx(0.64)


def test_a_revision_has_its_changed_parameters(repository: Path) -> None:
    first, second, experiment = revisions(repository, last=20)
    assert first.changed == []
    assert second.changed == ["students.small.num_hidden_layers: 4 \u2192 2"]
    assert experiment.changed == ["students.small.num_hidden_layers: 2 \u2192 1"]


def test_the_last_revisions_include_the_changes_of_the_oldest(repository: Path) -> None:
    second, experiment = revisions(repository, last=1)
    assert (second.subject, experiment.name) == (SUBJECT, "lucky-name")
    assert second.changed == ["students.small.num_hidden_layers: 4 \u2192 2"]


def test_a_file_of_metrics_that_is_not_json_is_left_out(tmp_path: Path) -> None:
    history(tmp_path)
    (tmp_path / "reports/metrics/library/small.json").write_text("<<<<<<< ours\n")
    commit(tmp_path, "A merge with conflicts")
    assert set(revisions(tmp_path, last=20)[-2].metrics["library"]) == {"teacher"}


def test_a_task_that_came_later_and_a_commit_without_yaml(tmp_path: Path) -> None:
    history(tmp_path)
    write(tmp_path, layers=2, score=0.4, task="entities")
    (tmp_path / "params.yaml").write_text("a: [\n")
    commit(tmp_path, "A second task")
    last = revisions(tmp_path, last=20)
    assert set(last[-2].metrics) == {"library", "entities"}
    text = page(last, {})
    assert text.count("<figure>") == 2
    assert "0.390" in text


def test_students_are_models_and_former_names_stay(tmp_path: Path) -> None:
    """Before students had names, the metrics of the only one were student.json, and `masked-words` was heldout-mlm."""
    history(tmp_path)
    for task, student in (("library", "student"), ("masked-words", "student"), ("library", "tiny")):
        write(tmp_path, layers=2, score=0.4, task=task, student=student)
    write(tmp_path, layers=2, score=0.22, student="baseline")
    commit(tmp_path, "More models")
    text = page(revisions(tmp_path, last=20), {})
    tables = text[text.index("Numbers of library") :]
    library, mlm = re.findall(r"<thead>(.*?)</thead>", tables)[:2]
    assert re.findall(r">(\w+)</th>", library) == ["revision", "teacher", "small", "student", "tiny", "baseline"]
    assert re.findall(r">(\w+)</th>", mlm) == ["revision", "teacher", "student"]


def test_the_page_has_numbers_of_every_revision_and_is_the_same_again(repository: Path) -> None:
    last = revisions(repository, last=20)
    durations = {"pretrain": {"seconds": 12.34, "resumed": True}}
    text = page(last, durations)
    assert all(number in text for number in ("0.700", "0.640", "0.490", "0.670 to 0.730", "98.0%", "1.52 M", "12.3"))
    assert text == page(last, durations)
    assert "Stage durations" in text and "Stage durations" not in page(last, {})


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "tools.history", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_command_writes_the_page(repository: Path) -> None:
    done = command(repository, "--last", "5")
    assert (done.returncode, done.stdout) == (0, "reports/history.html: 3 revision(s)\n"), done.stderr
    assert "lucky-name" in (repository / "reports/history.html").read_text(encoding="utf-8")


def test_without_any_run_it_says_what_to_do(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a")
    commit(tmp_path, "Begin")
    done = command(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "no commit has metrics yet: run `dvc repro` and commit reports/metrics\n"


def test_outside_a_repository_it_has_a_message(tmp_path: Path) -> None:
    done = command(tmp_path)
    assert done.returncode == 1
    assert "not a git repository" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_it_logs_nothing_requests_nothing_and_fits(repository: Path, tmp_path: Path, width: int) -> None:
    file = tmp_path / "history.html"
    file.write_text(page(revisions(repository, last=20), {}), encoding="utf-8")
    with opened(file, width=width) as browser:
        assert (browser.console, browser.requests) == ([], [file.as_uri()])
        assert browser.ask("document.documentElement.scrollWidth") == width
        assert browser.ask("document.querySelectorAll('figure svg path').length") > 10
        assert SUBJECT in browser.ask("document.body.innerText")
