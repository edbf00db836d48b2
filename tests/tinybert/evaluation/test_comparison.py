"""Intervals contain what they should and come out the same again; confusion by hand; the worst mistakes first."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.tinybert.tasks.samples import CASES, MAKERS, sample
from tinybert.evaluation.comparison import CHARACTERS, RESAMPLES, SHOWN, compare, interval, resample, worst
from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.ner import metrics as ner
from tinybert.tasks.protocol import scores
from tinybert.tasks.qa import metrics as qa
from tinybert.tasks.regression import metrics as regression

ACCURACY: Any = SimpleNamespace(reduce=lambda flags, counts, labels: {"accuracy": counts @ flags / counts.sum(axis=1)})
"""As much of a kind's metrics as is used. A row's statistic is 1 where the prediction is right, else 0."""


def resamples(flags: np.ndarray) -> np.ndarray:
    return resample(ACCURACY, {"model": flags.astype(float)}, metric="accuracy", labels=[])["model"]


def compared(**flags: np.ndarray) -> dict[str, dict[str, Any]]:
    statistics = {model: rows.astype(float) for model, rows in flags.items()}
    return compare(ACCURACY, statistics, metric="accuracy", labels=[], reference="teacher")


@pytest.mark.parametrize(("rows", "within"), [(100, 0.02), (1000, 0.004)])
def test_the_interval_of_a_share_is_that_of_the_binomial_distribution(rows: int, within: float) -> None:
    half = 1.96 * np.sqrt(0.7 * 0.3 / rows)
    assert interval(resamples(np.arange(rows) % 10 < 7)) == pytest.approx([0.7 - half, 0.7 + half], abs=within)


def test_the_resamples_are_the_same_again_and_as_many_in_chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = np.arange(50) < 20
    whole = resamples(flags)
    monkeypatch.setattr("tinybert.evaluation.comparison.CELLS", 50 * 300)
    assert len(whole) == RESAMPLES
    assert np.array_equal(resamples(flags), whole)


def test_a_difference_is_paired() -> None:
    """Two models that are right on the same rows differ by nothing, whichever rows are drawn."""
    flags = np.arange(200) < 120
    models = compared(teacher=flags, student=flags, student_int8=np.arange(200) < 140)
    assert models["student"]["difference_interval"] == [0.0, 0.0]
    low, high = models["student_int8"]["difference_interval"]
    assert 0.05 < low < 0.1 < high < 0.15
    assert models["student_int8"]["difference"] == 0.1
    assert models["student_int8"]["retained"] == pytest.approx(0.7 / 0.6, abs=1e-5)
    assert set(models["teacher"]) == {"score", "interval"}
    zeros = compared(teacher=np.zeros(20), student=np.zeros(20))
    assert zeros["student"]["retained"] == 0.0


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_scores_and_intervals_agree_with_one_another(kind: str, metric: str) -> None:
    case = sample(kind, seed=4)
    metrics, labels = case.metrics, case.labels
    predictions = {"baseline": case.predictions[::-1], "teacher": case.predictions, "student": [*case.predictions]}
    statistics = {model: metrics.row_statistics(rows, case.rows, labels=labels) for model, rows in predictions.items()}
    models = compare(metrics, statistics, metric=metric, labels=labels, reference="teacher")
    for model, result in models.items():
        low, high = result["interval"]
        assert result["score"] == round(scores(metrics, predictions[model], case.rows, labels=labels)[metric], 5)
        assert low <= result["score"] <= high
    assert models["student"]["difference_interval"] == [0.0, 0.0]


def test_confusion_counts_rows_by_gold_then_predicted_label_and_words_by_type() -> None:
    rows = [{"label": label} for label in "aab"]
    assert classification.confusion(["a", "b", "b"], rows, labels=["a", "b"]) == [[1, 1], [0, 1]]
    labels = ["O", "B-f", "B-g", "I-f", "I-g"]
    rows = [{"tags": ["O", "B-f", "I-f", "B-g"]}]
    assert ner.confusion_labels(labels) == ["O", "f", "g"]
    assert ner.confusion([["B-g", "I-f", "B-f", "O"]], rows, labels=labels) == [[0, 0, 1], [0, 2, 0], [1, 0, 0]]
    for case in (sample("qa", 1), sample("regression", 1)):
        assert case.metrics.confusion(case.predictions, case.rows, labels=[]) == []
        assert case.metrics.confusion_labels([]) == []


def test_mistakes_by_hand_and_a_sure_one_is_worse_than_a_doubtful_one() -> None:
    rows = [{"label": "a"}] * 3
    sizes = classification.mistakes(["a", "b", "b"], rows, logits=[[4, 0], [0, 0.5], [0, 5]], labels=["a", "b"])
    assert sizes[0] == 0 < sizes[1] < 0.5 < 0.9 < sizes[2] < 1
    tags = [{"tags": ["B-f", "O"]}]
    assert ner.mistakes([["O", "B-f"]], tags, logits=[], labels=[]) == [2]
    assert qa.mistakes(["red", ""], [{"answers": [{"text": "red"}]}] * 2, logits=[], labels=[]) == [0, 1]
    assert regression.mistakes([0.5], [{"label": 2.0}], logits=[], labels=[]) == [1.5]


def test_the_worst_come_first_and_right_rows_not_at_all() -> None:
    case = sample("classification", 1)
    mistakes = [0.0] * len(case.rows)
    mistakes[3], mistakes[7], mistakes[9] = 0.2, 0.9, 0.2
    errors = worst(mistakes, case.rows, {"student": case.predictions}, classification)
    assert [error["text"] for error in errors] == ["row 7", "row 3", "row 9"]
    assert errors[0]["predictions"] == {"student": case.predictions[7]}
    assert errors[0]["gold"] == case.rows[7]["label"]
    assert len(worst([1.0] * 40, case.rows, {}, classification)) == SHOWN


@pytest.mark.parametrize("kind", MAKERS)
def test_errors_of_every_kind_are_texts_of_every_model(kind: str) -> None:
    case = sample(kind, seed=4)
    predictions = {"teacher": case.predictions[::-1], "student": case.predictions}
    mistakes = [float(number % 3) for number in range(len(case.rows))]
    errors = worst(mistakes, case.rows, predictions, case.metrics)
    assert json.loads(json.dumps(errors)) == errors
    assert {error["mistake"] for error in errors} == {2.0}
    assert all(error["text"] and set(error["predictions"]) == set(predictions) for error in errors)


def test_a_long_text_is_cut_and_a_pair_has_two_lines() -> None:
    rows = [{"text": "a" * 5000, "text_pair": "b", "label": 1.0}, {"text": "a", "text_pair": "b", "label": 0.25}]
    long, pair = worst([2.0, 1.0], rows, {"student": [3.0, 0.123456]}, regression)
    assert len(long["text"]) == CHARACTERS
    assert (pair["text"], pair["gold"], pair["predictions"]) == ("a\nb", "0.25", {"student": "0.1235"})


def test_texts_of_entities_and_answers() -> None:
    row = {"words": ["see", "numpy", "sum"], "tags": ["O", "B-module", "B-function"]}
    assert (ner.text(row), ner.gold(row)) == ("see numpy sum", "numpy (module), sum (function)")
    answer = {"question": "what?", "context": "this", "answers": [{"text": "x"}, {"text": "x"}, {"text": "y"}]}
    assert (qa.text(answer), qa.gold(answer)) == ("what?\nthis", "x / y")
