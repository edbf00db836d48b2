"""Students ranked by validation: of metrics made by hand, and of a small project with experiments, read by dvc."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.clones import ROOT
from tests.tools.test_history import ENVIRONMENT, commit, git
from tools.front import HEAD, LEGEND, SHOWN, UNKNOWN, Candidate, Revision, front, rank, table

DVC = Path(sys.executable).with_name("dvc")


def metrics(share: float, *, size: int = 1000, tasks: tuple[str, ...] = ("a", "b"), **models: float) -> dict[str, Any]:
    """Files of a run whose teacher has 0.8 on validation, whose student `small` has this share of it, and whose test
    scores say the opposite; `models` have shares of their own."""
    files: dict[str, Any] = {"reports/metrics/heldout-mlm/small.json": {"score": 0.3, "parameters": 5}}
    for task in tasks:
        files[f"reports/metrics/{task}/teacher.json"] = {"score": 0.8, "validation": 0.8, "parameters": 10 * size}
        files[f"reports/metrics/{task}/tfidf.json"] = {"score": 0.7, "validation": 0.99}
        for model, own in ({"small": share} | models).items():
            files[f"reports/metrics/{task}/{model}.json"] = {
                **{"score": 1 - own, "validation": 0.8 * own, "parameters": size, "multiply_adds": 50 * size},
            }
    return files


def revision(name: str, files: dict[str, Any], **parameters: Any) -> Revision:
    return Revision(name, files, parameters)


def candidate(share: float, parameters: float) -> Candidate:
    return Candidate("r", "m", share, 1, parameters, UNKNOWN, UNKNOWN)


def test_the_mean_share_on_validation_ranks_and_test_scores_do_not() -> None:
    ranked = rank([revision("low", metrics(0.5, small_int8=0.25)), revision("high", metrics(0.75))])
    assert [(c.revision, c.model, c.share) for c in ranked] == [
        ("high", "small", pytest.approx(0.75)),
        ("low", "small", pytest.approx(0.5)),
        ("low", "small_int8", pytest.approx(0.25)),
    ]
    assert {(c.tasks, c.parameters, c.multiply_adds, c.speed_up) for c in ranked} == {(2, 1000, 50000, UNKNOWN)}


def test_shares_sizes_and_speed_ups_are_means_over_tasks_or_those_of_one() -> None:
    files = metrics(0.5, tasks=("a",)) | metrics(0.75, size=2000, tasks=("b",))
    files |= {f"reports/speed/{task}/small.json": {"speed_up": ratio} for task, ratio in (("a", 4.0), ("b", 8.0))}
    (both,) = rank([revision("r", files)])
    assert (both.share, both.tasks, both.parameters, both.speed_up) == (pytest.approx(0.625), 2, 1500, 6.0)
    (one,) = rank([revision("r", files)], task="b")
    assert (one.share, one.tasks, one.parameters, one.speed_up) == (pytest.approx(0.75), 1, 2000, 8.0)
    assert rank([revision("r", files)], task="c") == []


def test_what_has_no_validation_score_is_not_ranked_and_a_teacher_of_0_leaves_no_share() -> None:
    older = {path: {"score": 0.9, "parameters": 7} for path in metrics(0.5)}
    assert rank([revision("older", older)]) == []
    files = metrics(0.5, tasks=("a",)) | {"reports/metrics/a/teacher.json": {"score": 0.0, "validation": 0.0}}
    assert [c.share for c in rank([revision("r", files)])] == [0.0]


def test_the_front_by_hand() -> None:
    ranked = [candidate(0.9, 30), candidate(0.8, 30), candidate(0.8, 20), candidate(0.8, 20), candidate(0.7, 20),
              candidate(0.6, 10), candidate(0.95, UNKNOWN), candidate(0.5, UNKNOWN)]  # fmt: skip
    assert front(ranked) == [True, False, True, True, False, True, False, False]


def test_parameters_in_which_revisions_differ_are_shown_and_no_others() -> None:
    first = revision("first", metrics(0.5), steps=10, seed=1)
    second = revision("second", metrics(0.6), steps=20, seed=1, extra=True)
    assert [c.differs for c in rank([first, second])] == ["steps=20 extra=True", "steps=10"]
    many = {f"p{n}": n for n in range(SHOWN + 3)}
    assert rank([first, revision("many", metrics(0.9), **many)])[0].differs.endswith(f"p{SHOWN - 1}=5 and 3 more")


def test_the_table_is_aligned_and_explained() -> None:
    ranked = rank([revision("a-long-name", metrics(0.5, size=1_520_130), steps=1),
                   revision("b", metrics(0.75, size=2_000_000), steps=2)])  # fmt: skip
    head, *rows = table(ranked).removesuffix(f"\n\n{LEGEND}").splitlines()
    assert head.split() == " ".join(HEAD).split()
    assert [row.split() for row in rows] == [
        ["*", "b", "small", "0.750", "2", "2", "M", "100", "M", "-", "steps=2"],
        ["*", "a-long-name", "small", "0.500", "2", "1.52", "M", "76", "M", "-", "steps=1"],
    ]
    assert {row.index("small") for row in rows} == {head.index("model")}


def write(folder: Path, share: float, *, layers: int) -> None:
    (folder / "params.yaml").write_text(f"students:\n  small: {{num_hidden_layers: {layers}, hidden_size: 128}}\n")
    for path, content in metrics(share, size=1000 * layers).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(content))


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command without the fixed dates of ENVIRONMENT, which DVC's own git cannot read."""
    environment = {name: value for name, value in ENVIRONMENT.items() if not name.endswith("_DATE")}
    environment |= {"HOME": str(folder.parent), "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder.parent)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.dvc
def test_the_command_ranks_the_workspace_and_saved_experiments(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q", "-b", "main")
    assert run(project, str(DVC), "init", "-q").returncode == 0
    (project / "dvc.yaml").write_text("metrics:\n  - reports/metrics\nparams:\n  - params.yaml\n")
    write(project, 0.75, layers=2)
    commit(project, "The first run")
    for name, share, layers in (("worse-and-larger", 0.5, 3), ("smaller", 0.7, 1)):
        write(project, share, layers=layers)
        saved = run(project, str(DVC), "exp", "save", "-q", "-n", name)
        assert saved.returncode == 0, saved.stderr
    git(project, "checkout", "-q", "--", ".")
    done = run(project, sys.executable, "-m", "tools.front")
    assert done.returncode == 0, done.stderr
    _, *rows = done.stdout.removesuffix(f"\n\n{LEGEND}\n").splitlines()
    shown = [row.replace("*", "").split()[0] for row in rows]
    assert shown == ["workspace", "smaller", "worse-and-larger"]
    assert [row.startswith("*") for row in rows] == [True, True, False]
    assert [row.split()[-1] for row in rows] == [f"students.small.num_hidden_layers={layers}" for layers in (2, 1, 3)]
    none = run(project, sys.executable, "-m", "tools.front", "--task", "c")
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr == "no validation score of a task c in reports/metrics: run `dvc repro` or `dvc exp run`\n"


def test_outside_a_project_it_has_a_message(tmp_path: Path) -> None:
    done = run(tmp_path, sys.executable, "-m", "tools.front")
    assert done.returncode == 1 and done.stderr.startswith("dvc: you are not inside of a DVC repository")
    assert ROOT.name not in done.stderr and "Traceback" not in done.stderr
