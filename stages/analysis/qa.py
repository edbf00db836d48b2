"""Predicted answers: scores under weights, and which mistakes are the worst. B resamples, N rows."""

from typing import Any

import numpy as np

from stages.analysis.bootstrap import Weighted
from stages.metrics.qa import scores

PIPELINE_TAG = "question-answering"
"""What the hub calls such a task."""


def weighted(predictions: list[str], rows: list[dict], *, metric: str, labels: None) -> Weighted:
    """The score `metric` of stages/metrics/qa.py, a mean over rows, where row n counts as often as the weights say."""
    score_N = np.array(_each(predictions, rows, metric))

    def of(weights: np.ndarray) -> np.ndarray:
        return weights @ score_N / weights.sum(axis=1)

    return of


def confusion(predictions: list[str], rows: list[dict], *, labels: None) -> list[list[int]]:
    """Answers have no classes that could be confused."""
    return []


def confusion_labels(labels: None) -> list[str]:
    return []


def mistakes(predictions: list[str], rows: list[dict], *, logits: list[Any], labels: None) -> list[float]:
    """What each answer lacks of an F1 of 1."""
    return [1 - score for score in _each(predictions, rows, "f1")]


def text(row: dict) -> str:
    return f"{row['question']}\n{row['context']}"


def gold(row: dict) -> str:
    return " / ".join(dict.fromkeys(answer["text"] for answer in row["answers"]))


def shown(prediction: str, row: dict) -> str:
    return prediction


def _each(predictions: list[str], rows: list[dict], metric: str) -> list[float]:
    return [scores([made], [row], labels=None)[metric] for made, row in zip(predictions, rows, strict=True)]
