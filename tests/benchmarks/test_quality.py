"""The rows of the quality benchmark are valid parameters, and are read, ranked and shown as they were measured."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from benchmarks import quality
from benchmarks.clones import edit, preset_file
from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole

PARTS = YAML(typ="safe").load(quality.PLAN).items()
GROUPS = [name for name, part in PARTS if isinstance(part, dict) and part.keys() & {"rows", "students"}]


@pytest.mark.parametrize("group", GROUPS)
def test_every_row_is_a_valid_change_of_the_preset(group: str, tmp_path: Path) -> None:
    for row in quality.planned(group).values():
        shutil.copy(preset_file(row.get("preset", quality.PRESET)), tmp_path / "params.yaml")
        edit(tmp_path, quality.changes_of_run(group, row))
        whole, _ = validate_whole(read_file(tmp_path / "params.yaml"))
        assert set(row["tasks"]) <= set(whole.tasks) and row.get("student", quality.STUDENT) in whole.students


def test_students_of_a_group_are_rows_that_share_a_run() -> None:
    rows = quality.planned("cuts")
    (run,) = {json.dumps(quality.changes_of_run("cuts", row)["students"], sort_keys=True) for row in rows.values()}
    assert list(rows) == [row["student"] for row in rows.values()]
    assert {name: row["changes"]["students"][name] for name, row in rows.items()} == json.loads(run)


def test_a_row_runs_again_when_its_changes_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(quality, "ROWS", tmp_path / "rows.jsonl")
    group = GROUPS[0]
    (name, row), *others = quality.waiting(group)
    (tmp_path / "rows.jsonl").write_text(json.dumps({"group": group, "name": name, **row}) + "\n")
    assert [other for other, _ in quality.waiting(group)] == [other for other, _ in others]
    changed: Any = copy.deepcopy(row)
    changed["changes"]["distill.steps"] = 1
    (tmp_path / "rows.jsonl").write_text(json.dumps({"group": group, "name": name, **changed}) + "\n")
    assert name in dict(quality.waiting(group))


def test_the_score_is_that_of_the_epoch_that_was_kept(tmp_path: Path) -> None:
    (tmp_path / "curve.tsv").write_text("step\tloss\tvalidation\n5\t1.0\t\n10\t\t0.4\n20\t\t0.7\n30\t\t0.6\n")
    assert quality.best(tmp_path) == 0.7


def row(name: str, student: float) -> dict[str, Any]:
    scores = {"a": {"teacher": 0.8, "student": student}, "b": {"teacher": 0.5, "student": 0.5}}
    return {"name": name, "scores": scores, "seconds": {"distill@small": 10.4, "x": 1.0, "y": 2.0}}


def test_sizes_are_shown_where_they_differ() -> None:
    teacher = {"parameters": 4_000_000, "multiply_adds": 600}
    students = [{"parameters": size, "multiply_adds": size // 10_000} for size in (3_000_000, 1_500_000)]
    large, little = (
        row(name, 0.4) | {"sizes": {"teacher": teacher, "student": student}}
        for name, student in zip(("large", "little"), students, strict=True)
    )
    assert quality.table([large, little]).splitlines()[2:] == [
        "| large | 3.00M | 2.0x fewer | 0.500 | 1.000 | 0.750 | 10 | 3 |",
        "| little | 1.50M | 4.0x fewer | 0.500 | 1.000 | 0.750 | 10 | 3 |",
    ]
    assert "x fewer" not in quality.table([large, large])


def test_students_that_are_distilled_together_have_no_time_of_distillation() -> None:
    head, _, line = quality.table([row("a", 0.4) | {"student": "a"}]).splitlines()
    assert head == "| row | a | b | mean | fine-tuning, s |" and line.endswith(" 0.750 | 3 |")


def test_rows_are_ranked_by_their_mean_share_of_the_teacher() -> None:
    lines = quality.table([row("low", 0.4), row("high", 0.6)]).splitlines()
    assert lines[2:] == [
        "| high | 0.750 | 1.000 | 0.875 | 10 | 3 |",
        "| low | 0.500 | 1.000 | 0.750 | 10 | 3 |",
    ]
