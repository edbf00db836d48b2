"""The few numbers that git keeps, and what `dvc plots` reads."""

import json
from pathlib import Path

import pytest

from stages.report import Parameters
from stages.reporting.plots import read_table, write_table
from stages.reporting.summary import confusion_rows, headline, ordered, series, speed
from tests.reporting.conftest import make_report
from tests.reporting.finished import BENCHMARK, HOSTILE, evaluated, finish

TIMED = {"median_ms", "p95_ms", "p99_ms", "ratio", "sequences_per_second"}


def numbers(folder: Path) -> dict[str, dict]:
    files = sorted((folder / "reports/metrics").rglob("*.json"))
    return {file.relative_to(folder / "reports/metrics").as_posix(): json.loads(file.read_text()) for file in files}


def test_each_task_and_model_has_one_file_and_all_have_the_same_names(reported: Path) -> None:
    found = numbers(reported)
    models = [f"{who}.json" for who in ("baseline", "exported", "student", "teacher")]
    wanted = [f"{task}/{who}" for task in ("answers", "entities", "library") for who in models]
    assert list(found) == [*wanted, "masked-words/student.json", "masked-words/teacher.json"]
    assert found["library/student.json"] == {
        **{"metric": "accuracy", "score": 0.69, "score_low": 0.66, "score_high": 0.72, "retained": 1.0192},
        **{"versus_teacher": 0.013, "versus_teacher_low": -0.007, "versus_teacher_high": 0.033},
        **{"parameters": 1520130, "multiply_adds": 56623104, "bytes": 6090000},
    }
    assert set(found["library/teacher.json"]) == set(found["library/student.json"]) - {
        *("retained", "versus_teacher", "versus_teacher_low", "versus_teacher_high")
    }
    assert set(found["library/baseline.json"]) == {"metric", "score", "score_low", "score_high"}
    assert found["masked-words/teacher.json"] == {"metric": "accuracy", "score": 0.25856, "parameters": 5463554}


def test_where_no_head_for_words_was_distilled_nothing_is_said_of_it(tmp_path: Path, parameters: Parameters) -> None:
    finish(tmp_path, parameters)
    distilled = tmp_path / "reports/distill/metrics.json"
    distilled.write_text(json.dumps(json.loads(distilled.read_text()) | {"masked_words": {}}))
    make_report(tmp_path, parameters)
    assert not (tmp_path / "reports/metrics/masked-words").exists()
    page = (tmp_path / "reports/report.html").read_text()
    assert "3.6 times smaller" in page and "masked in held-out" not in page


def test_nothing_that_was_timed_is_among_them(reported: Path) -> None:
    assert not TIMED & {name for one in numbers(reported).values() for name in one}


def test_a_model_that_nobody_thought_of_is_there_too() -> None:
    given = evaluated("library", "accuracy")
    given["compared"]["pruned"] = given["compared"]["student"]
    found = headline(given, {"pruned": {"parameters": 7}}, metric="accuracy")
    assert (found["pruned"]["score"], found["pruned"]["parameters"]) == (0.69, 7)
    assert "parameters" not in found["student"]


def test_speed_is_that_of_the_fastest_form() -> None:
    assert speed(BENCHMARK) == {"student": {"speed_up": 4.5}, "exported": {"speed_up": 10.0}}


def test_models_come_in_one_order_whatever_the_file_says() -> None:
    assert list(ordered([{"student": 1, "teacher": {"b": 1, "a": 2}, "baseline": 0}])[0]) == [
        "teacher",
        "student",
        "baseline",
    ]
    assert list(ordered({"teacher": {"b": 1, "a": 2}})["teacher"]) == ["b", "a"]


def test_a_curve_is_written_long_and_without_empty_cells(reported: Path) -> None:
    rows = [{"step": "1", "learning_rate": "0.1", "loss": "2.5", "validation": ""}]
    assert series(rows) == [{"step": "1", "series": "loss", "value": "2.5"}]
    written = read_table(reported / "reports/curves/library_student.tsv")
    assert {row["series"] for row in written} == {"hard", "soft", "validation"}
    assert all(float(row["value"]) > 0 and int(row["step"]) > 0 for row in written)


def test_confusion_has_a_row_for_each_pair_of_labels_and_survives_any_label(reported: Path) -> None:
    written = read_table(reported / "reports/confusion/library.tsv")
    assert len(written) == 2 * 4 * 4
    shown = HOSTILE.replace("<", "\u2039")
    assert {row["gold"] for row in written} == {shown, "pandas", "scipy", "torch"}
    assert sum(int(row["rows"]) for row in written if row["gold"] == row["predicted"] == shown) == 240


def test_where_no_task_has_classes_there_is_a_file_that_git_keeps(tmp_path: Path, parameters: Parameters) -> None:
    only = parameters.model_copy(update={"tasks": {"answers": parameters.tasks["answers"]}})
    finish(tmp_path, only)
    make_report(tmp_path, only)
    (file,) = (tmp_path / "reports/confusion").iterdir()
    assert file.read_text() == "model\tgold\tpredicted\trows\n"


def test_a_task_without_classes_has_no_file_of_confusion(reported: Path) -> None:
    assert not (reported / "reports/confusion/answers.tsv").exists()
    assert confusion_rows({"labels": [], "counts": {"teacher": [], "student": []}}) == []


@pytest.mark.parametrize("label", ["a\tb", "a\nb", '"'])
def test_a_table_gives_back_what_went_in(tmp_path: Path, label: str) -> None:
    rows = [{"gold": label, "rows": "1"}, {"gold": "plain", "rows": "2"}]
    write_table(tmp_path / "a.tsv", ("gold", "rows"), rows)
    assert read_table(tmp_path / "a.tsv") == rows


def test_sizes_and_scores_of_all_models_but_the_baseline(reported: Path) -> None:
    written = read_table(reported / "reports/sizes.tsv")
    assert [row["model"] for row in written] == ["teacher", "student", "exported"] * 3
    (student,) = [row for row in written if (row["task"], row["model"]) == ("library", "student")]
    assert (student["parameters"], student["score"]) == ("1520130", "0.69")
