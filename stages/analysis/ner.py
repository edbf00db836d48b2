"""Predicted tags: scores under weights, confusion, and which mistakes are the worst. B resamples, N rows."""

from typing import Any

import numpy as np

from stages.analysis.bootstrap import Weighted
from stages.metrics.ner import entities

PIPELINE_TAG = "token-classification"
"""What the hub calls such a task."""


def weighted(predictions: list[list[str]], rows: list[dict], *, metric: str, labels: list[str]) -> Weighted:
    """The score `metric` of stages/metrics/ner.py, where row n counts as often as the weights say."""
    pairs = list(zip(predictions, rows, strict=True))
    counts_N5 = np.array([_counts(tags, row["tags"]) for tags, row in pairs], float)

    def of(weights: np.ndarray) -> np.ndarray:
        right, found, wanted, words_right, words = (weights @ counts_N5).T
        part, whole = {
            "f1": (2 * right, found + wanted),
            "precision": (right, found),
            "recall": (right, wanted),
            "accuracy": (words_right, words),
        }[metric]
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

    return of


def confusion(predictions: list[list[str]], rows: list[dict], *, labels: list[str]) -> list[list[int]]:
    """Words of the test split by gold type, then by predicted type."""
    index = {name: number for number, name in enumerate(confusion_labels(labels))}
    table = np.zeros((len(index), len(index)), int)
    for made, row in zip(predictions, rows, strict=True):
        np.add.at(table, ([index[_type(tag)] for tag in row["tags"]], [index[_type(tag)] for tag in made]), 1)
    return table.tolist()


def confusion_labels(labels: list[str]) -> list[str]:
    """Types of entities, and O for none."""
    return list(dict.fromkeys(_type(tag) for tag in labels))


def mistakes(predictions: list[list[str]], rows: list[dict], *, logits: list[Any], labels: list[str]) -> list[float]:
    """How many entities are found that are not there, or are there and not found."""
    pairs = zip(predictions, rows, strict=True)
    return [float(len(set(entities(made)) ^ set(entities(row["tags"])))) for made, row in pairs]


def text(row: dict) -> str:
    return " ".join(row["words"])


def gold(row: dict) -> str:
    return shown(row["tags"], row)


def shown(prediction: list[str], row: dict) -> str:
    """Each entity as its words and its type."""
    words = row["words"]
    return ", ".join(f"{' '.join(words[first:end])} ({type_})" for type_, first, end in entities(prediction))


def _type(tag: str) -> str:
    return tag if tag == "O" else tag[2:]


def _counts(made: list[str], gold: list[str]) -> tuple[int, int, int, int, int]:
    """Entities right, found and wanted; words right, and all."""
    found, wanted = set(entities(made)), set(entities(gold))
    right = sum(one == other for one, other in zip(made, gold, strict=True))
    return len(found & wanted), len(found), len(wanted), right, len(gold)
