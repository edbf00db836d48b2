"""Predicted classes: scores under weights, confusion, and which mistakes are the worst.

B resamples, N rows, C classes.
"""

from typing import Any

import numpy as np

from stages.analysis.bootstrap import Weighted

PIPELINE_TAG = "text-classification"
"""What the hub calls such a task."""


def weighted(predictions: list[str], rows: list[dict], *, metric: str, labels: list[str]) -> Weighted:
    """The score `metric` of stages/metrics/classification.py, where row n counts as often as the weights say."""
    score = {"accuracy": _accuracy, "f1_macro": _f1_macro, "f1": _f1_second, "matthews": _matthews}[metric]
    index, size = {label: number for number, label in enumerate(labels)}, len(labels)
    cells = [index[row["label"]] * size + index[made] for made, row in zip(predictions, rows, strict=True)]
    seen, which = np.unique(cells, return_inverse=True)
    in_cell = np.eye(len(seen))[which]

    def of(weights: np.ndarray) -> np.ndarray:
        table = np.zeros((len(weights), size * size))
        table[:, seen] = weights @ in_cell
        return score(table.reshape(-1, size, size))

    return of


def confusion(predictions: list[str], rows: list[dict], *, labels: list[str]) -> list[list[int]]:
    """Rows of the test split by gold label, then by predicted label."""
    index = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), int)
    np.add.at(table, ([index[row["label"]] for row in rows], [index[made] for made in predictions]), 1)
    return table.tolist()


def confusion_labels(labels: list[str]) -> list[str]:
    return labels


def mistakes(predictions: list[str], rows: list[dict], *, logits: list[Any], labels: list[str]) -> list[float]:
    """By how much more probable the model holds its wrong label than the right one, 0 to 1; 0 where it is right."""
    scores = np.array(logits, float)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    every = np.arange(len(rows))
    gold, made = ([labels.index(label) for label in side] for side in ([row["label"] for row in rows], predictions))
    return (shares[every, made] - shares[every, gold]).tolist()


def text(row: dict) -> str:
    return "\n".join(part for part in (row["text"], row["text_pair"]) if part)


def gold(row: dict) -> str:
    return row["label"]


def shown(prediction: str, row: dict) -> str:
    return prediction


def _accuracy(tables: np.ndarray) -> np.ndarray:
    return np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))


def _f1(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each class, [B, C], 0 where it is neither there nor predicted; and whether it is either."""
    right = np.diagonal(tables, axis1=1, axis2=2)
    either = tables.sum(axis=1) + tables.sum(axis=2)
    return np.divide(2 * right, either, out=np.zeros_like(right), where=either > 0), either > 0


def _f1_macro(tables: np.ndarray) -> np.ndarray:
    scores, present = _f1(tables)
    return scores.sum(axis=1) / present.sum(axis=1)


def _f1_second(tables: np.ndarray) -> np.ndarray:
    return _f1(tables)[0][:, 1]


def _matthews(tables: np.ndarray) -> np.ndarray:
    total, right = tables.sum(axis=(1, 2)), np.trace(tables, axis1=1, axis2=2)
    made, gold = tables.sum(axis=1), tables.sum(axis=2)
    spread = (total**2 - (made**2).sum(axis=1)) * (total**2 - (gold**2).sum(axis=1))
    together = right * total - (made * gold).sum(axis=1)
    return np.divide(together, np.sqrt(spread), out=np.zeros_like(total), where=spread > 0)
