"""Intervals hold what they should, shrink with more rows, and come out the same again."""

from typing import Any

import numpy as np
import pytest

from stages.analysis import qa
from stages.analysis.bootstrap import RESAMPLES, interval, resample
from stages.analysis.comparison import compare


def rights(flags: Any) -> Any:
    """A score that is the mean of flags."""
    flags = np.asarray(flags, float)
    return lambda counts: counts @ flags / counts.sum(axis=1)


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    flags = np.arange(1000) < 700
    low, high = interval(resample({"a": rights(flags)}, num_rows=1000)["a"])
    half = 1.96 * np.sqrt(0.7 * 0.3 / 1000)
    assert (low, high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.004)


def test_a_tenth_of_the_rows_has_a_wider_interval() -> None:
    few, many = (np.arange(count) % 10 < 7 for count in (100, 1000))
    low, high = interval(resample({"a": rights(few)}, num_rows=100)["a"])
    low_many, high_many = interval(resample({"a": rights(many)}, num_rows=1000)["a"])
    assert high - low > 2.5 * (high_many - low_many)


def test_the_same_again_and_as_many_as_wanted_in_chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = np.arange(50) < 20
    whole = resample({"a": rights(flags)}, num_rows=50)["a"]
    monkeypatch.setattr("stages.analysis.bootstrap.CELLS", 50 * 300)
    assert len(whole) == RESAMPLES
    assert np.array_equal(resample({"a": rights(flags)}, num_rows=50)["a"], whole)


def test_a_difference_is_paired() -> None:
    """Two models that are right on the same rows differ by nothing, whichever rows are drawn."""
    flags = np.arange(200) < 120
    better = np.arange(200) < 140
    scores = {"teacher": 0.6, "student": 0.6, "exported": 0.7}
    found = compare(scores, {"teacher": rights(flags), "student": rights(flags), "exported": rights(better)},
                    num_rows=200, reference="teacher")  # fmt: skip
    assert found["student"]["difference_interval"] == [0.0, 0.0]
    low, high = found["exported"]["difference_interval"]
    assert 0.05 < low < 0.1 < high < 0.15
    assert found["exported"]["difference"] == 0.1
    assert found["exported"]["retained"] == pytest.approx(0.7 / 0.6, abs=1e-5)
    assert set(found["teacher"]) == {"score", "interval"}


def test_nothing_is_retained_of_a_score_of_nothing() -> None:
    flags = np.zeros(20)
    found = compare({"teacher": 0.0, "student": 0.0}, {"teacher": rights(flags), "student": rights(flags)},
                    num_rows=20, reference="teacher")  # fmt: skip
    assert found["student"]["retained"] == 0.0


def test_a_perfect_score_has_an_interval_without_width() -> None:
    rows = [{"answers": [{"text": "red"}]}] * 9
    score = qa.weighted(["red"] * 9, rows, metric="f1", labels=None)
    assert interval(resample({"a": score}, num_rows=9)["a"]) == [1.0, 1.0]
