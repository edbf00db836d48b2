"""How far a model's probabilities can be trusted, before and after one temperature (Guo et al. 2017, arXiv:1706.04599).

The temperature is fitted on validation and applied to test. It moves no prediction, only how sure each is. C classes,
N examples, M bins.
"""

from typing import NamedTuple

import numpy as np

BINS = 15
LOWEST, HIGHEST = 1e-3, 1e3
"""The range of a temperature. Where every example is right, the likelihood has no maximum, and the lowest is taken."""
HALVINGS = 60
"""Of the range, which leaves less than the rounding error of a float."""


class Classified(NamedTuple):
    """What a model says of examples that each have one of the classes."""

    logits_NC: np.ndarray
    gold_N: np.ndarray
    """Indices of the gold classes."""


def calibration(validation: Classified, test: Classified) -> dict[str, float]:
    """`ece` of test, the `temperature` that validation asks for, and `ece_scaled`, of test at that temperature."""
    temperature = fit_temperature(validation)
    scaled = test._replace(logits_NC=test.logits_NC / temperature)
    ece, ece_scaled = (expected_calibration_error(each) for each in (test, scaled))
    return {"ece": round(ece, 5), "ece_scaled": round(ece_scaled, 5), "temperature": round(temperature, 5)}


def expected_calibration_error(examples: Classified) -> float:
    """ECE, eq. 3: the mean over examples of their bin's | accuracy - confidence |, 0 to 1.

    The confidence is the probability of the predicted class; bin m of M holds those in ((m - 1) / M, m / M].
    """
    confidence_N = np.exp(_log_probabilities(examples.logits_NC).max(axis=1))
    right_N = examples.logits_NC.argmax(axis=1) == examples.gold_N
    bin_N = np.searchsorted(np.arange(1, BINS) / BINS, confidence_N, side="left")
    gap_M = np.bincount(bin_N, weights=right_N - confidence_N, minlength=BINS)
    return float(np.abs(gap_M).sum() / len(bin_N))


def fit_temperature(examples: Classified) -> float:
    """The T of section 4.2 with the smallest negative log-likelihood of logits / T, in [LOWEST, HIGHEST].

    In 1 / T it is convex, so that its slope changes sign once. Bisection on log T finds where: unlike gradient descent,
    it has no step size and ends at the same bits.
    """
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _wants_cooler(examples, 1 / np.exp(middle)) else (middle, high)
    return float(np.exp((low + high) / 2))


def _wants_cooler(examples: Classified, inverse: float) -> bool:
    """Whether the likelihood still rises with the inverse temperature: the gold logits exceed the expected ones."""
    probabilities_NC = np.exp(_log_probabilities(examples.logits_NC * inverse))
    expected_N = (probabilities_NC * examples.logits_NC).sum(axis=1)
    gold_N = examples.logits_NC[np.arange(len(expected_N)), examples.gold_N]
    return bool((gold_N - expected_N).mean() >= 0)


def _log_probabilities(logits_NC: np.ndarray) -> np.ndarray:
    shifted_NC = logits_NC.astype(float) - logits_NC.max(axis=1, keepdims=True)
    return shifted_NC - np.log(np.exp(shifted_NC).sum(axis=1, keepdims=True))
