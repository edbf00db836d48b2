"""Metrics of predicted sets of labels. B resamples, C labels, N rows."""

from collections import Counter
from typing import Any

import numpy as np

from tinybert.tasks.encoding import joined

NAMES = ("f1_micro", "f1_macro", "exact")
PIPELINE_TAG = "text-classification"
NONE = "(none)"


def baseline(train_rows: list[dict], rows: list[dict]) -> list[list[str]]:
    """The most frequent set of labels that is not empty; of equally frequent ones the first in sorted order."""
    counts = Counter(tuple(sorted(row["labels"])) for row in train_rows if row["labels"])
    return [[*min(counts, key=lambda labels: (-counts[labels], labels), default=())]] * len(rows)


def row_statistics(predictions: list[list[str]], rows: list[dict], *, labels: list[str]) -> np.ndarray:
    """1 where a label is gold, and where it is predicted, [N, 2, C]."""
    sets = [(row["labels"], predicted) for row, predicted in zip(rows, predictions, strict=True)]
    return np.array([[[label in found for label in labels] for found in pair] for pair in sets], int).reshape(
        -1, 2, len(labels)
    )


def reduce(statistics: np.ndarray, counts_BN: np.ndarray, *, labels: list[str]) -> dict[str, np.ndarray]:
    """F1 over all decisions, the mean of the labels' F1 (those that are there or predicted), and exactly right rows."""
    gold_NC, predicted_NC = statistics[:, 0], statistics[:, 1]
    right_BC, gold_BC, predicted_BC = (counts_BN @ part for part in (gold_NC * predicted_NC, gold_NC, predicted_NC))
    either_BC = gold_BC + predicted_BC
    present_B = (either_BC > 0).sum(axis=1)
    exact_N = (gold_NC == predicted_NC).all(axis=1)
    return {
        "f1_micro": _ratio(2 * right_BC.sum(axis=1), either_BC.sum(axis=1)),
        "f1_macro": _ratio(_ratio(2 * right_BC, either_BC).sum(axis=1), present_B),
        "exact": counts_BN @ exact_N / counts_BN.sum(axis=1),
    }


def confusion(predictions: list[list[str]], rows: list[dict], *, labels: list[str]) -> list[list[int]]:
    """Empty: no label is another's alternative."""
    return []


def confusion_labels(labels: list[str]) -> list[str]:
    return []


def mistakes(predictions: list[list[str]], rows: list[dict], *, logits: list[Any], labels: list[str]) -> list[float]:
    """How far the probabilities of wrongly predicted or missed labels are from gold, summed over them."""
    distances = []
    for gold_predicted, scores_C in zip(row_statistics(predictions, rows, labels=labels), logits, strict=True):
        gold_C, predicted_C = gold_predicted
        distance_C = np.abs(1 / (1 + np.exp(-np.array(scores_C, float))) - gold_C)
        distances.append(float(distance_C[gold_C != predicted_C].sum()))
    return distances


def text(row: dict) -> str:
    return joined(row)


def gold(row: dict) -> str:
    return ", ".join(row["labels"]) or NONE


def shown(prediction: list[str], row: dict) -> str:
    return ", ".join(prediction) or NONE


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """0 where the whole is."""
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
