"""Commits compare in a fresh clone without a remote: metrics, parameters, plots."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc_render.vega import VegaRenderer
from dvc_render.vega_templates import get_template

from benchmarks.clones import COMMIT, ROOT, clone, run
from tests.readme import command
from tests.tinybert.reporting.finished import HOSTILE

pytestmark = pytest.mark.dvc

KEPT = ("metrics", "speed", "curves", "confusion", "sizes.tsv", "machines.json")
TASKS = ("answers", "entities", "library")


def commit(folder: Path, subject: str) -> None:
    run(folder, "git", "add", "-A")
    run(folder, *COMMIT, subject)


@pytest.fixture(scope="module")
def cloned(reported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of a project with a report on `main` and one on a branch, with another score and another parameter."""
    base = tmp_path_factory.mktemp("compared")
    project = clone(base / "project")
    for name in KEPT:
        place = project / "reports" / name
        shutil.rmtree(place, ignore_errors=True)
        (shutil.copytree if (reported / "reports" / name).is_dir() else shutil.copy)(reported / "reports" / name, place)
    commit(project, "first")
    run(project, "git", "branch", "-M", "main")
    run(project, "git", "checkout", "-q", "-b", "branch")
    file = project / "reports/metrics/library/small.json"
    numbers = json.loads(file.read_text())
    assert (numbers["score"], numbers["validation"]) == (0.69, 0.71)
    file.write_text(json.dumps(numbers | {"score": 0.65, "validation": 0.68}))
    (project / "params.yaml").write_text((project / "params.yaml").read_text().replace("steps: 80", "steps: 81"))
    commit(project, "second")
    run(base, "git", "clone", "-q", str(project), "clone")
    run(base / "clone", "git", "branch", "-q", "main", "origin/main")
    return base / "clone"


def test_metrics_show_is_one_table_with_a_row_for_each_task_and_model(cloned: Path) -> None:
    head, *rows = [line for line in run(cloned, *command("dvc metrics show")).splitlines() if line]
    assert len(rows) == 3 * 4 + 1 + 2 + 3 * 2
    assert head.split() == ["Path", *sorted(head.split()[1:])] and len(head.split()) == 17
    assert max(map(len, rows)) < 260


def test_metrics_diff_names_what_changed_and_nothing_else(cloned: Path) -> None:
    head, *rows = [line.split() for line in run(cloned, *command("dvc metrics diff main")).splitlines() if line]
    path = "reports/metrics/library/small.json"
    assert rows == [[path, "score", "0.69", "0.65", "-0.04"], [path, "validation", "0.71", "0.68", "-0.03"]]


def test_params_diff_names_the_parameter(cloned: Path) -> None:
    assert json.loads(run(cloned, *command("dvc params diff"), "--json")) == {
        "params.yaml": {"distill.steps": {"old": 80, "new": 81, "diff": 1}}
    }


def test_experiments_are_what_was_changed_beside_the_students_scores(cloned: Path) -> None:
    head, *rows = csv.reader(run(cloned, *command("dvc exp show"), "--csv").splitlines())
    assert head[2:] == ["reports/metrics/library/small.json:validation", "distill.steps"]
    assert [row[2:4] for row in rows if row[2]] == [["0.68", "81"], ["0.68", "81"], ["0.71", "80"]]


@pytest.mark.parametrize("arguments", [["dvc", "plots", "show"], command("dvc plots diff")], ids=" ".join)
def test_plots_have_curves_confusion_and_sizes(cloned: Path, arguments: list[str]) -> None:
    shown = json.loads(run(cloned, *arguments, "--json"))
    assert not shown.get("errors")
    names = {re.sub(r"^.*reports/", "", name) for name in shown["data"]}
    curves = {f"curves/{task}-{name}.tsv" for task in TASKS for name in ("teacher", "small-intermediate", "small")}
    confusion = {"confusion/library.tsv", "confusion/entities.tsv"}
    assert names == curves | confusion | {"curves/pretrain.tsv", "curves/distill-small.tsv", "sizes.tsv"}


def test_plots_are_shown_where_no_task_has_classes(cloned: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(cloned, tmp_path / "copy", symlinks=True)
    for file in (copy / "reports/confusion").iterdir():
        file.unlink()
    (copy / "reports/confusion/no_task_has_classes.tsv").write_text("model\tgold\tpredicted\trows\n")
    shown = json.loads(run(copy, "dvc", "plots", "show", "--json"))
    assert not shown.get("errors")
    assert "file://" in run(copy, "dvc", "plots", "show")


def test_the_page_of_plots_is_written(cloned: Path, tmp_path: Path) -> None:
    run(cloned, *command("dvc plots diff"), "-o", str(tmp_path / "plots"))
    text = (tmp_path / "plots/index.html").read_text(encoding="utf-8")
    assert text.count("vegaEmbed(") == 14
    assert HOSTILE not in text and "onerror" in text  # it is there, but cannot end a script
    assert text.count("</script") == text.count("<script")


@pytest.mark.parametrize("name", ["counts", "curves", "sizes"])
def test_a_template_leaves_no_place_unfilled(name: str) -> None:
    folder = ROOT / ".dvc/plots"
    row: dict[str, Any] = {"x": 1, "y": 2, "series": "s", "task": "t", "model": "m", "rows": 3, "rev": "r"}
    drawn = VegaRenderer([row], "a", template=name, template_dir=str(folder), x="x", y="y").get_filled_template()
    assert "<DVC_METRIC_" not in json.dumps(drawn)
    assert get_template(name, str(folder)).name == name
