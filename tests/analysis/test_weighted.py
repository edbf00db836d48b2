"""A score under weights is the score of the rows, each taken as often as its weight says."""

import numpy as np
import pytest

from stages.parameters.kinds import task_kinds
from tests.analysis.samples import CASES, MAKERS, ROWS, Sample, sample


def weighted(given: Sample, metric: str, counts: np.ndarray) -> np.ndarray:
    score = given.analysis.weighted(given.predictions, given.rows, metric=metric, labels=given.labels)
    return score(counts.astype(float))


def of_repeated(given: Sample, metric: str, counts: np.ndarray) -> float:
    taken = [n for n, count in enumerate(counts) for _ in range(count)]
    rows, predictions = [given.rows[n] for n in taken], [given.predictions[n] for n in taken]
    return given.metrics.scores(predictions, rows, labels=given.labels)[metric]


@pytest.mark.parametrize(("kind", "metric"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_that_of_the_repeated_rows(kind: str, metric: str, seed: int) -> None:
    given = sample(kind, seed)
    counts = np.random.default_rng(seed).multinomial(ROWS, [1 / ROWS] * ROWS, size=7)
    counts[0] = 1
    wanted = [of_repeated(given, metric, one) for one in counts]
    assert weighted(given, metric, counts) == pytest.approx(wanted, abs=1e-9)
    assert len(set(wanted)) > 1


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_it_is_defined_where_one_row_is_all_there_is(kind: str, metric: str) -> None:
    given = sample(kind, seed=3)
    counts = np.zeros((1, ROWS), int)
    counts[0, 5] = ROWS
    assert weighted(given, metric, counts) == pytest.approx([of_repeated(given, metric, counts[0])], abs=1e-9)


def test_a_constant_correlates_with_nothing() -> None:
    given = sample("regression", seed=1)
    given.predictions[:] = [0.1] * ROWS
    for metric in given.metrics.NAMES:
        assert weighted(given, metric, np.ones((2, ROWS))).tolist() == [0.0, 0.0]


def test_every_kind_and_metric_is_tried() -> None:
    assert {kind.split()[0] for kind in MAKERS} == set(task_kinds())
    names = {(kind, name) for kind in MAKERS for name in sample(kind, 1).metrics.NAMES}
    assert {(kind.split()[0], name) for kind, name in CASES} == {(kind.split()[0], name) for kind, name in names}
