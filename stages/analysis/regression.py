"""Predicted numbers: scores under weights, and which mistakes are the worst. B resamples, N rows."""

from typing import Any

import numpy as np

from stages.analysis.bootstrap import Weighted

PIPELINE_TAG = "text-classification"
"""What the hub calls such a task."""
CONSTANT = 1e-12
"""A variance below it, where that of all rows is 1, is that of a constant and a rounding error."""


def weighted(predictions: list[float], rows: list[dict], *, metric: str, labels: None) -> Weighted:
    """The score `metric` of stages/metrics/regression.py, where row n counts as often as the weights say."""
    made, gold = _standard(predictions), _standard([row["label"] for row in rows])

    def of(weights: np.ndarray) -> np.ndarray:
        if metric == "pearson":
            return _correlation(made, gold, weights)
        return _correlation(_ranks(made, weights), _ranks(gold, weights), weights)

    return of


def confusion(predictions: list[float], rows: list[dict], *, labels: None) -> list[list[int]]:
    """Numbers have no classes that could be confused."""
    return []


def confusion_labels(labels: None) -> list[str]:
    return []


def mistakes(predictions: list[float], rows: list[dict], *, logits: list[Any], labels: None) -> list[float]:
    """How far off each number is."""
    return [abs(made - row["label"]) for made, row in zip(predictions, rows, strict=True)]


def text(row: dict) -> str:
    return "\n".join(part for part in (row["text"], row["text_pair"]) if part)


def gold(row: dict) -> str:
    return f"{row['label']:.4g}"


def shown(prediction: float, row: dict) -> str:
    return f"{prediction:.4g}"


def _standard(values: list[float]) -> np.ndarray:
    """Mean 0 and, unless they are all the same, variance 1: a correlation does not see the difference."""
    centred = np.array(values, float) - np.mean(values)
    return centred / (np.std(values) or 1.0)


def _correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's, for x and y [N] or [B, N]; 0 where one of them is constant."""
    share = weights / weights.sum(axis=1, keepdims=True)
    x, y = (values - (share * values).sum(axis=1, keepdims=True) for values in (x, y))
    spread_x, spread_y = ((share * values**2).sum(axis=1) for values in (x, y))
    varied = (spread_x > CONSTANT) & (spread_y > CONSTANT)
    return np.divide(
        (share * x * y).sum(axis=1), np.sqrt(spread_x * spread_y), out=np.zeros(len(weights)), where=varied
    )


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The rank of each value among all drawn ones, [B, N], a mean rank where values are equal, each count a value."""
    order = np.argsort(values, kind="stable")
    distinct, first, which = np.unique(values[order], return_index=True, return_inverse=True)
    drawn = np.add.reduceat(weights[:, order], first, axis=1)
    middle = np.cumsum(drawn, axis=1) - (drawn - 1) / 2
    ranks = np.empty_like(weights)
    ranks[:, order] = middle[:, which] / weights.sum(axis=1, keepdims=True)
    return ranks
