"""Metrics of predicted classes. B resamples, C classes, N rows."""

from collections import Counter
from typing import Any

import numpy as np

from tinybert.tasks.encoding import joined

NAMES = ("accuracy", "f1_macro", "f1", "matthews")
PIPELINE_TAG = "text-classification"


def baseline(train_rows: list[dict], rows: list[dict]) -> list[str]:
    """The most frequent label of the training rows; of equally frequent ones the first in sorted order."""
    counts = Counter(row["label"] for row in train_rows)
    return [min(counts, key=lambda label: (-counts[label], label))] * len(rows)


def row_statistics(predictions: list[str], rows: list[dict], *, labels: list[str]) -> np.ndarray:
    """Gold and predicted label as indices into `labels`, [N, 2]."""
    index = {label: number for number, label in enumerate(labels)}
    pairs = [(index[row["label"]], index[label]) for row, label in zip(rows, predictions, strict=True)]
    return np.array(pairs, int).reshape(-1, 2)


def reduce(statistics: np.ndarray, counts_BN: np.ndarray, *, labels: list[str]) -> dict[str, np.ndarray]:
    """Accuracy, macro F1 over the classes that are there or predicted, and Matthews' correlation.

    Of exactly two labels also `f1`, that of the second ("equivalent" of MRPC's "not_equivalent" and "equivalent").
    """
    tables_BCC = _confusion(statistics, counts_BN, size=len(labels))
    f1_BC, present_BC = _f1(tables_BCC)
    return {
        "accuracy": np.trace(tables_BCC, axis1=1, axis2=2) / tables_BCC.sum(axis=(1, 2)),
        "f1_macro": f1_BC.sum(axis=1) / present_BC.sum(axis=1),
        **({"f1": f1_BC[:, 1]} if len(labels) == 2 else {}),
        "matthews": _matthews(tables_BCC),
    }


def confusion(predictions: list[str], rows: list[dict], *, labels: list[str]) -> list[list[int]]:
    """Rows by gold label, then by predicted label."""
    statistics = row_statistics(predictions, rows, labels=labels)
    (table_CC,) = _confusion(statistics, np.ones((1, len(rows))), size=len(labels))
    return table_CC.astype(int).tolist()


def confusion_labels(labels: list[str]) -> list[str]:
    return labels


def mistakes(predictions: list[str], rows: list[dict], *, logits: list[Any], labels: list[str]) -> list[float]:
    """Probability of the predicted label less that of the gold label: 0 to 1, and 0 where it is right."""
    logits_NC = np.array(logits, float)
    probabilities_NC = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
    probabilities_NC /= probabilities_NC.sum(axis=1, keepdims=True)
    gold_N, predicted_N = row_statistics(predictions, rows, labels=labels).T
    every = np.arange(len(rows))
    return (probabilities_NC[every, predicted_N] - probabilities_NC[every, gold_N]).tolist()


def text(row: dict) -> str:
    return joined(row)


def gold(row: dict) -> str:
    return row["label"]


def shown(prediction: str, row: dict) -> str:
    return prediction


def _confusion(statistics: np.ndarray, counts_BN: np.ndarray, *, size: int) -> np.ndarray:
    """Confusion matrices [B, C, C]: gold label, then predicted label."""
    cells, cell_N = np.unique(statistics @ np.array([size, 1]), return_inverse=True)
    tables = np.zeros((len(counts_BN), size * size))
    tables[:, cells] = counts_BN @ np.eye(len(cells))[cell_N]
    return tables.reshape(-1, size, size)


def _f1(tables_BCC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of each class [B, C], 0 where it is neither there nor predicted; and whether it is either."""
    right = np.diagonal(tables_BCC, axis1=1, axis2=2)
    either = tables_BCC.sum(axis=1) + tables_BCC.sum(axis=2)
    return np.divide(2 * right, either, out=np.zeros_like(right), where=either > 0), either > 0


def _matthews(tables_BCC: np.ndarray) -> np.ndarray:
    """Matthews' correlation of several classes [B] (Gorodkin 2004); 0 where gold or predicted labels are all equal."""
    total, right = tables_BCC.sum(axis=(1, 2)), np.trace(tables_BCC, axis1=1, axis2=2)
    predicted, gold = tables_BCC.sum(axis=1), tables_BCC.sum(axis=2)
    variances = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (gold**2).sum(axis=1))
    covariance = right * total - (predicted * gold).sum(axis=1)
    return np.divide(covariance, np.sqrt(variances), out=np.zeros_like(total), where=variances > 0)
