import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from tinybert.tasks.protocol import scores
from tinybert.tasks.regression import metrics as regression


def rows(labels: list[float]) -> list[dict]:
    return [{"label": label} for label in labels]


def scored(predictions: list[float], gold: list[float]) -> dict[str, float]:
    return scores(regression, predictions, rows(gold), labels=[])


def test_scores_are_the_hand_worked_ones():
    # Deviations (-1, 0, 1) and (-2, 1, 1): covariance 3, variances 2 and 6. Ranks (1, 2, 3) and (1, 2.5, 2.5).
    three = scored([1.0, 4.0, 4.0], [1.0, 2.0, 3.0])
    assert set(three) == {*regression.NAMES, "mse"}
    assert three == pytest.approx({"pearson": 3 / 12**0.5, "spearman": 1.5 / 3**0.5, "mse": 5 / 3})


def test_correlations_are_those_of_scipy():
    random = np.random.default_rng(3)
    gold, predictions = random.integers(0, 5, 50).tolist(), random.normal(size=50).tolist()
    correlations = scored(predictions, gold)
    assert correlations["pearson"] == pytest.approx(pearsonr(gold, predictions)[0])
    assert correlations["spearman"] == pytest.approx(spearmanr(gold, predictions)[0])


@pytest.mark.parametrize(("predictions", "gold"), [([2.0, 2.0], [1.0, 3.0]), ([1.0, 3.0], [2.0, 2.0]), ([1.0], [2.0])])
def test_correlations_with_a_constant_are_zero(predictions, gold):
    assert scored(predictions, gold) == {"pearson": 0.0, "spearman": 0.0, "mse": 1.0}


def test_baseline_is_the_mean_of_train():
    assert regression.baseline(rows([1.0, 2.0, 6.0]), rows([0.0, 0.0])) == [3.0, 3.0]
