"""Intervals contain what they should, shrink with more rows, and come out the same again."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.tinybert.tasks.samples import CASES, sample
from tinybert.evaluation.bootstrap import RESAMPLES, compare, interval, resample
from tinybert.tasks.protocol import scores
from tinybert.tasks.qa import metrics as qa

ACCURACY: Any = SimpleNamespace(reduce=lambda flags, counts, labels: {"accuracy": counts @ flags / counts.sum(axis=1)})
"""As much of a kind's metrics as is used. A row's statistic is 1 where the prediction is right, else 0."""


def resamples(flags: np.ndarray) -> np.ndarray:
    return resample(ACCURACY, {"model": flags.astype(float)}, metric="accuracy", labels=[])["model"]


def compared(**flags: np.ndarray) -> dict[str, dict[str, Any]]:
    statistics = {model: rows.astype(float) for model, rows in flags.items()}
    return compare(ACCURACY, statistics, metric="accuracy", labels=[], reference="teacher")


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    half = 1.96 * np.sqrt(0.7 * 0.3 / 1000)
    assert interval(resamples(np.arange(1000) < 700)) == pytest.approx([0.7 - half, 0.7 + half], abs=0.004)


def test_a_tenth_of_the_rows_has_a_wider_interval() -> None:
    (low, high), (low_many, high_many) = (interval(resamples(np.arange(count) % 10 < 7)) for count in (100, 1000))
    assert high - low > 2.5 * (high_many - low_many)


def test_the_resamples_are_the_same_again_and_as_many_in_chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = np.arange(50) < 20
    whole = resamples(flags)
    monkeypatch.setattr("tinybert.evaluation.bootstrap.CELLS", 50 * 300)
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


def test_nothing_is_retained_of_a_score_of_zero() -> None:
    assert compared(teacher=np.zeros(20), student=np.zeros(20))["student"]["retained"] == 0.0


def test_a_perfect_score_has_an_interval_without_width() -> None:
    statistics = {"model": qa.row_statistics(["red"] * 9, [{"answers": [{"text": "red"}]}] * 9, labels=[])}
    assert interval(resample(qa, statistics, metric="f1", labels=[])["model"]) == [1.0, 1.0]


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
