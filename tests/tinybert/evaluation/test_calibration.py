"""Calibration by hand-worked values, and by what holds of any temperature."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tinybert.evaluation.calibration import (
    LOWEST,
    Classified,
    calibration,
    expected_calibration_error,
    fit_temperature,
)


def certain(*examples: tuple[float, bool]) -> Classified:
    """Two classes: each example predicts class 0 with this probability, and is right or not."""
    logits = [(np.log(probability / (1 - probability)), 0.0) for probability, _ in examples]
    return Classified(np.array(logits), np.array([0 if right else 1 for _, right in examples]))


def noisy(seed: int, *, classes: int = 5, rows: int = 400) -> Classified:
    """Gold classes drawn from the softmax of logits: as they stand, the best temperature is about 1."""
    random = np.random.default_rng(seed)
    logits_NC = random.normal(size=(rows, classes)) * 2
    probabilities_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(axis=1, keepdims=True)
    gold_N = (probabilities_NC.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
    return Classified(logits_NC, gold_N)


def cost(examples: Classified, *, temperature: float) -> float:
    """The mean negative log-likelihood, by torch."""
    return F.cross_entropy(torch.tensor(examples.logits_NC / temperature), torch.tensor(examples.gold_N)).item()


def test_the_error_by_hand() -> None:
    """Bins of 1/15: 0.62 and 0.65 share (9/15, 10/15], with one of two right; 0.9 alone is wrong, 0.97 alone right."""
    examples = certain((0.62, True), (0.65, False), (0.9, False), (0.97, True))
    by_bin = 2 / 4 * abs(0.5 - 0.635) + 1 / 4 * 0.9 + 1 / 4 * 0.03
    assert expected_calibration_error(examples) == pytest.approx(by_bin)


def test_bins_whose_share_of_right_ones_is_their_confidence_make_no_error() -> None:
    examples = certain(*[(0.75, n < 3) for n in range(4)], *[(0.9, n < 9) for n in range(10)])
    assert expected_calibration_error(examples) == pytest.approx(0, abs=1e-12)
    wrong = certain(*[(0.75, n < 2) for n in range(4)])
    assert expected_calibration_error(wrong) == pytest.approx(0.25)


def test_a_confidence_on_the_border_of_two_bins_is_in_the_lower() -> None:
    """2/3 = 10/15 is in the bin of 0.65, so that the two gaps cancel; in a bin of its own each would count."""
    examples = Classified(np.log([[2.0, 1.0], [0.65, 0.35]]), np.array([0, 1]))
    alone = abs(1 - 2 / 3) / 2 + 0.65 / 2
    assert expected_calibration_error(examples) == pytest.approx(abs(1 - 2 / 3 - 0.65) / 2) != pytest.approx(alone)


def test_large_logits_are_no_overflow() -> None:
    examples = Classified(np.array([[1e4, 0.0], [0.0, 1e4]], np.float32), np.array([0, 0]))
    assert expected_calibration_error(examples) == 0.5
    assert np.isfinite(fit_temperature(examples))


def test_the_temperature_by_hand() -> None:
    """Three of four right at logits (z, 0): the likelihood is largest where the probability is 3/4, z / T = log 3."""
    examples = certain(*[(0.98, n < 3) for n in range(4)])
    temperature = fit_temperature(examples)
    assert temperature == pytest.approx(np.log(0.98 / 0.02) / np.log(3))
    assert calibration(examples, examples) == {
        "ece": pytest.approx(0.23),
        "ece_scaled": pytest.approx(0, abs=1e-5),
        "temperature": round(temperature, 5),
    }


@pytest.mark.parametrize("seed", range(3))
def test_no_other_temperature_is_likelier(seed: int) -> None:
    examples = noisy(seed)
    temperature = fit_temperature(examples)
    assert temperature == pytest.approx(1, abs=0.15)
    grid = [cost(examples, temperature=temperature * by) for by in (0.5, 0.9, 0.999, 1.001, 1.1, 2)]
    assert cost(examples, temperature=temperature) < min(grid)


@pytest.mark.parametrize("scale", [0.25, 3.0, 20.0])
def test_of_logits_that_are_c_times_larger_it_is_c_times_larger(scale: float) -> None:
    examples = noisy(4)
    larger = examples._replace(logits_NC=examples.logits_NC * scale)
    assert fit_temperature(larger) == pytest.approx(scale * fit_temperature(examples), rel=1e-9)
    both = (calibration(each, each)["ece_scaled"] for each in (examples, larger))
    assert len(set(both)) == 1


def test_the_temperature_is_that_of_validation_and_the_error_that_of_test() -> None:
    validation, test = noisy(5), noisy(6)
    test = test._replace(logits_NC=test.logits_NC * 3)
    temperature = fit_temperature(validation)
    scaled = test._replace(logits_NC=test.logits_NC / temperature)
    assert calibration(validation, test) == {
        "ece": round(expected_calibration_error(test), 5),
        "ece_scaled": round(expected_calibration_error(scaled), 5),
        "temperature": round(temperature, 5),
    }


def test_where_all_are_right_the_lowest_is_taken_and_the_same_bits_again() -> None:
    examples = certain((0.6, True), (0.9, True))
    assert fit_temperature(examples) == pytest.approx(LOWEST)
    assert fit_temperature(noisy(7)) == fit_temperature(noisy(7))
