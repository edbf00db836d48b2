"""Metrics of predicted numbers. B resamples, N rows."""

from typing import Any

import numpy as np

from tinybert.tasks.encoding import joined

NAMES = ("pearson", "spearman")
PIPELINE_TAG = "text-classification"
CONSTANT = 1e-12
"""A variance below it, where that of all rows is 1, is a rounding error of a constant's."""


def baseline(train_rows: list[dict], rows: list[dict]) -> list[float]:
    """The mean score of the training rows."""
    return [float(np.mean([row["label"] for row in train_rows]))] * len(rows)


def row_statistics(predictions: list[float], rows: list[dict], *, labels: list[str]) -> np.ndarray:
    """Predicted and gold score, [N, 2]."""
    return np.array([(score, row["label"]) for score, row in zip(predictions, rows, strict=True)], float)


def reduce(statistics: np.ndarray, counts_BN: np.ndarray, *, labels: list[str]) -> dict[str, np.ndarray]:
    """Pearson's and Spearman's correlation with the gold scores, and the mean squared error, where lower is better.

    A correlation with a constant is undefined, and 0 here: a constant tells nothing about the other scores.
    """
    predicted_N, gold_N = statistics.T.copy()
    x_N, y_N = _standardize(predicted_N), _standardize(gold_N)
    weights_BN = counts_BN / counts_BN.sum(axis=1, keepdims=True)
    return {
        "pearson": _correlation(x_N, y_N, weights_BN),
        "spearman": _correlation(_ranks(x_N, counts_BN), _ranks(y_N, counts_BN), weights_BN),
        "mse": weights_BN @ np.square(gold_N - predicted_N),
    }


def confusion(predictions: list[float], rows: list[dict], *, labels: list[str]) -> list[list[int]]:
    """Empty: numbers have no classes."""
    return []


def confusion_labels(labels: list[str]) -> list[str]:
    return []


def mistakes(predictions: list[float], rows: list[dict], *, logits: list[Any], labels: list[str]) -> list[float]:
    return [abs(score - row["label"]) for score, row in zip(predictions, rows, strict=True)]


def text(row: dict) -> str:
    return joined(row)


def gold(row: dict) -> str:
    return f"{row['label']:.4g}"


def shown(prediction: float, row: dict) -> str:
    return f"{prediction:.4g}"


def _standardize(values_N: np.ndarray) -> np.ndarray:
    """Mean 0 and, unless all values are equal, variance 1, which no correlation sees."""
    return (values_N - np.mean(values_N)) / (np.std(values_N) or 1.0)


def _correlation(x: np.ndarray, y: np.ndarray, weights_BN: np.ndarray) -> np.ndarray:
    """Pearson's correlation [B] of x and y, [N] or [B, N]; 0 where one of them is constant."""
    x, y = (values - (weights_BN * values).sum(axis=1, keepdims=True) for values in (x, y))
    variance_x, variance_y = ((weights_BN * values**2).sum(axis=1) for values in (x, y))
    varied = (variance_x > CONSTANT) & (variance_y > CONSTANT)
    covariance = (weights_BN * x * y).sum(axis=1)
    return np.divide(covariance, np.sqrt(variance_x * variance_y), out=np.zeros(len(weights_BN)), where=varied)


def _ranks(values_N: np.ndarray, counts_BN: np.ndarray) -> np.ndarray:
    """The rank of each value among all drawn ones over their number, [B, N]; equal values have their mean rank."""
    order = np.argsort(values_N, kind="stable")
    _, first, distinct_N = np.unique(values_N[order], return_index=True, return_inverse=True)
    drawn = np.add.reduceat(counts_BN[:, order], first, axis=1)
    middle = np.cumsum(drawn, axis=1) - (drawn - 1) / 2
    ranks_BN = np.empty_like(counts_BN)
    ranks_BN[:, order] = middle[:, distinct_N] / counts_BN.sum(axis=1, keepdims=True)
    return ranks_BN
