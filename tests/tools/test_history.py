"""The history of a small repository as a page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.clones import ROOT
from tests.browser import CHROMIUM, WHY_NOT, opened
from tests.tinybert.reporting.finished import HOSTILE
from tools.history import page, revisions

SUBJECT = HOSTILE[:60]
IDENTITY = {"NAME": "A", "EMAIL": "a@b.invalid", "DATE": "2024-05-06T07:08:09Z"}
ENVIRONMENT = {f"GIT_{role}_{field}": text for role in ("AUTHOR", "COMMITTER") for field, text in IDENTITY.items()} | {
    **{"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
    **{"PATH": "/usr/bin:/bin:/usr/local/bin", "PYTHONPATH": str(ROOT)},
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write(folder: Path, *, layers: int, score: float, task: str = "library", student: str = "small") -> None:
    """What a run leaves: params.yaml and the metrics of one task and student."""
    (folder / "params.yaml").write_text(f"students:\n  small: {{num_hidden_layers: {layers}, hidden_size: 128}}\n")
    teacher = {"metric": "accuracy", "score": score, "score_low": score - 0.03, "score_high": score + 0.03}
    numbers = {**teacher, "score": score - 0.01, "retained": 0.98, "parameters": 1520130}
    place = folder / "reports/metrics" / task
    place.mkdir(parents=True, exist_ok=True)
    for model, values in (("teacher", teacher), (student, numbers)):
        (place / f"{model}.json").write_text(json.dumps(values))


def commit(folder: Path, subject: str) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", subject)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A commit before any run, two runs with a commit between them that has none, and an experiment on the last."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "README.md").write_text("first\n")
    commit(tmp_path, "Begin")
    write(tmp_path, layers=4, score=0.7)
    commit(tmp_path, "The first run")
    (tmp_path / "README.md").write_text("second\n")
    commit(tmp_path, "Words only")
    write(tmp_path, layers=2, score=0.65)
    base = commit(tmp_path, SUBJECT)
    git(tmp_path, "checkout", "-q", "--detach")
    write(tmp_path, layers=1, score=0.5)
    tried = commit(tmp_path, "dvc: commit experiment")
    git(tmp_path, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/lucky-name", tried)
    git(tmp_path, "update-ref", "refs/exps/exec/EXEC_HEAD", tried)
    git(tmp_path, "checkout", "-q", "main")
    return tmp_path


def test_commits_with_metrics_come_oldest_first_then_experiments_with_changed_parameters(own: Path) -> None:
    first, second, experiment = revisions(own, last=20)
    assert [first.subject, second.subject, experiment.subject] == ["The first run", SUBJECT, "dvc: commit experiment"]
    assert (first.date, experiment.name) == ("2024-05-06", "lucky-name")
    assert second.metrics["library"]["small"]["score"] == pytest.approx(0.64)
    assert first.changed == []
    assert second.changed == ["students.small.num_hidden_layers: 4 \u2192 2"]
    assert experiment.changed == ["students.small.num_hidden_layers: 2 \u2192 1"]
    assert revisions(own, last=1) == [second, experiment]  # with the changes of the oldest


def test_a_file_of_metrics_that_is_not_json_is_left_out(own: Path) -> None:
    (own / "reports/metrics/library/small.json").write_text("<<<<<<< ours\n")
    commit(own, "A merge with conflicts")
    assert set(revisions(own, last=20)[-2].metrics["library"]) == {"teacher"}


def test_a_task_that_came_later_and_a_commit_without_yaml(own: Path) -> None:
    write(own, layers=2, score=0.4, task="entities")
    (own / "params.yaml").write_text("a: [\n")
    commit(own, "A second task")
    last = revisions(own, last=20)
    assert set(last[-2].metrics) == {"library", "entities"}
    text = page(last, {})
    assert text.count("<figure>") == 2
    assert "0.390" in text


def test_students_are_models_and_former_names_stay(own: Path) -> None:
    """Before students had names, the metrics of the only one were student.json, and `masked-words` was heldout-mlm."""
    for task, student in (("library", "student"), ("masked-words", "student"), ("library", "tiny")):
        write(own, layers=2, score=0.4, task=task, student=student)
    write(own, layers=2, score=0.22, student="baseline")
    commit(own, "More models")
    text = page(revisions(own, last=20), {})
    tables = text[text.index("Numbers of library") :]
    library, mlm = re.findall(r"<thead>(.*?)</thead>", tables)[:2]
    assert re.findall(r">(\w+)</th>", library) == ["revision", "teacher", "small", "student", "tiny", "baseline"]
    assert re.findall(r">(\w+)</th>", mlm) == ["revision", "teacher", "student"]


def test_the_page_has_numbers_of_every_revision_and_is_the_same_again(own: Path) -> None:
    last = revisions(own, last=20)
    durations = {"pretrain": {"seconds": 12.34, "resumed": True}}
    text = page(last, durations)
    assert all(number in text for number in ("0.700", "0.640", "0.490", "0.670 to 0.730", "98.0%", "1.52 M", "12.3"))
    assert text == page(last, durations)
    assert "Stage durations" in text and "Stage durations" not in page(last, {})


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tools.history", *arguments], cwd=folder, env=ENVIRONMENT,
                          capture_output=True, text=True)  # fmt: skip


def test_the_command_writes_the_page(own: Path) -> None:
    done = command(own, "--last", "5")
    assert (done.returncode, done.stdout) == (0, "reports/history.html: 3 revision(s)\n"), done.stderr
    assert "lucky-name" in (own / "reports/history.html").read_text(encoding="utf-8")


def test_without_a_repository_or_a_run_it_has_a_message(tmp_path: Path) -> None:
    done = command(tmp_path)
    assert done.returncode == 1
    assert "not a git repository" in done.stderr and "Traceback" not in done.stderr
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a")
    commit(tmp_path, "Begin")
    done = command(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "no commit has metrics yet: run `dvc repro` and commit reports/metrics\n"


@pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_it_logs_nothing_requests_nothing_and_fits(chromium: Browser, own: Path, width: int) -> None:
    file = own / "history.html"
    file.write_text(page(revisions(own, last=20), {}), encoding="utf-8")
    with opened(chromium, file, width=width) as browser:
        assert (browser.console, browser.requests) == ([], [file.as_uri()])
        assert browser.ask("document.documentElement.scrollWidth") == width
        assert browser.ask("document.querySelectorAll('figure svg path').length") > 10
        assert SUBJECT in browser.ask("document.body.innerText")
