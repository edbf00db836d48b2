"""Many classes and many tasks: the figures by hand, and a page that still fits a screen and a phone."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from stages.report import Parameters
from tests.browser import CHROMIUM, WHY_NOT, opened
from tests.tinybert.reporting import finished
from tests.tinybert.reporting.conftest import make_report
from tinybert.reporting.classes import Confused, class_scores, confused_pairs, heat_map

MATRIX = [[8, 2, 0], [1, 3, 0], [0, 2, 0]]
LABELS = ["a", "b", "c"]


def test_the_most_confused_pairs_come_first_and_of_equal_ones_the_larger_share():
    pairs = [Confused("c", "b", 2, 1.0), Confused("a", "b", 2, 0.2), Confused("b", "a", 1, 0.25)]
    assert confused_pairs(MATRIX, LABELS) == pairs
    assert confused_pairs(MATRIX, LABELS, limit=1) == pairs[:1]


def test_classes_are_sorted_by_the_f1_of_one_model():
    perfect = [[10, 0, 0], [0, 4, 0], [0, 0, 2]]
    rows = class_scores({"teacher": perfect, "small": MATRIX}, LABELS, by="small")
    assert [(row["label"], row["rows"]) for row in rows] == [("c", 2), ("b", 4), ("a", 10)]
    assert [row["f1"]["small"] for row in rows] == pytest.approx([0.0, 6 / 11, 16 / 19])
    assert {row["f1"]["teacher"] for row in rows} == {1.0}


def test_a_drawing_has_a_cell_for_each_pair_that_occurs():
    drawing = heat_map(MATRIX)
    assert drawing.count("<use ") == 5
    assert '<use href="#cell" x="6" y="0" opacity="0.20"/>' in drawing


def many(folder: Path, parameters: Parameters, patch: pytest.MonkeyPatch, *, tasks: int, classes: int) -> Path:
    """A report of `tasks` tasks, each of `classes` classes."""
    names, chance = [f"task_{n}" for n in range(tasks)], random.Random(1)
    for name in names:
        patch.setitem(finished.SCORES, name, (0.8, 0.75, 0.74))
        patch.setitem(finished.FLOORS, name, {"baseline": 0.1, "tfidf": 0.6})
    own = dict.fromkeys(names, parameters.tasks["library"])
    changed = parameters.model_copy(update={"tasks": own})
    finished.finish(folder, changed)
    labels = [f"class number {n}" for n in range(classes)]
    matrix = [[chance.choice([0, 0, 0, 0, 1]) + 20 * (row == column) for column in range(classes)] for row in
              range(classes)]  # fmt: skip
    for file in folder.rglob("findings.json"):
        findings: dict[str, Any] = json.loads(file.read_text())
        findings["confusion"] = {"labels": labels, "counts": dict.fromkeys(finished.MODELS, copy.deepcopy(matrix))}
        file.write_text(json.dumps(findings))
    make_report(folder, changed)
    return folder / "reports/report.html"


@pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)
@pytest.mark.parametrize(("tasks", "classes"), [(1, 2), (1, 20), (1, 150), (12, 20)])
def test_a_page_stays_short_and_fits_a_phone(
    chromium: Browser, parameters: Parameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: int, classes: int
):
    page = many(tmp_path, parameters, monkeypatch, tasks=tasks, classes=classes)
    for width, height in ((1280, 8000), (390, 13_000)):
        with opened(chromium, page, width=width) as browser:
            assert browser.console == []
            assert browser.ask("document.documentElement.scrollWidth") == width
            assert browser.ask("document.documentElement.scrollHeight") < height
            tables = "[...document.querySelectorAll('table')].filter(t => t.checkVisibility() && t.caption?.textContent"
            assert browser.ask(f"{tables} && t.scrollWidth > t.parentElement.clientWidth + 1).length") == 0
    assert ("All tasks at a glance" in page.read_text(encoding="utf-8")) == (tasks > 3)
    assert page.stat().st_size < 3_000_000
