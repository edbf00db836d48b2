"""A reduction under counts is the score of the rows, each repeated as often as its count says."""

import numpy as np
import pytest

from tests.tinybert.tasks.samples import CASES, MAKERS, ROWS, Sample, sample
from tests.tinybert.tasks.test_kinds import KINDS
from tinybert.tasks.protocol import scores


def reduced(case: Sample, counts_BN: np.ndarray) -> dict[str, np.ndarray]:
    statistics = case.metrics.row_statistics(case.predictions, case.rows, labels=case.labels)
    return case.metrics.reduce(statistics, counts_BN.astype(float), labels=case.labels)


def score_of_repeated(case: Sample, metric: str, counts_N: np.ndarray) -> float:
    numbers = np.repeat(np.arange(ROWS), counts_N)
    predictions, rows = [case.predictions[n] for n in numbers], [case.rows[n] for n in numbers]
    return scores(case.metrics, predictions, rows, labels=case.labels)[metric]


@pytest.mark.parametrize(("kind", "metric"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_the_score_of_the_repeated_rows(kind: str, metric: str, seed: int) -> None:
    case = sample(kind, seed)
    counts_BN = np.random.default_rng(seed).multinomial(ROWS, [1 / ROWS] * ROWS, size=7)
    counts_BN[0] = 1
    expected = [score_of_repeated(case, metric, counts_N) for counts_N in counts_BN]
    assert reduced(case, counts_BN)[metric] == pytest.approx(expected, abs=1e-9)
    assert len(set(expected)) > 1


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_it_is_defined_where_one_row_alone_is_drawn(kind: str, metric: str) -> None:
    case = sample(kind, seed=3)
    counts_BN = np.zeros((1, ROWS), int)
    counts_BN[0, 5] = ROWS
    assert reduced(case, counts_BN)[metric] == pytest.approx([score_of_repeated(case, metric, counts_BN[0])], abs=1e-9)


def test_a_constant_correlates_with_nothing() -> None:
    case = sample("regression", seed=1)
    case.predictions[:] = [0.1] * ROWS
    correlations = reduced(case, np.ones((2, ROWS)))
    assert [correlations[name].tolist() for name in case.metrics.NAMES] == [[0.0, 0.0]] * 2


def test_every_metric_of_every_kind_is_a_case_and_those_that_choose_an_epoch_are_among_them() -> None:
    defined = {(kind.split()[0], name) for kind in MAKERS for name in reduced(sample(kind, 1), np.ones((1, ROWS)))}
    assert {kind for kind, _ in defined} == set(KINDS)
    assert {(kind.split()[0], name) for kind, name in CASES} == defined
    assert {(kind.split()[0], name) for kind in MAKERS for name in sample(kind, 1).metrics.NAMES} <= defined
