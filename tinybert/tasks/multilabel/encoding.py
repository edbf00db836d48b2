"""Multi-label classification: what a model reads, and what its logits say. C labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tinybert.errors import InputError
from tinybert.tasks.encoding import encode_texts, text_row


def to_row(request: Any, *, tokenizer: Tokenizer) -> dict:
    """A row without labels, see `text_row`."""
    return text_row(request) | {"labels": None}


def encode(rows: list[dict], *, tokenizer: Tokenizer, max_length: int, labels: list[str]) -> list[dict]:
    """One feature per row: row, input_ids, token_type_ids, and label, of each of `labels` 1.0 or 0.0, or NaN."""
    features = encode_texts(rows, tokenizer=tokenizer, max_length=max_length)
    return [
        feature | {"label": _indicators(row["labels"], labels)} for feature, row in zip(features, rows, strict=True)
    ]


def decode(
    logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str], threshold: float,
    thresholds: Mapping[str, float],
) -> list[list[str]]:  # fmt: skip
    """The labels of each row whose probability is above their threshold; logits: one [C] per feature."""
    if unknown := sorted(thresholds.keys() - {*labels}):
        raise InputError(
            f"decoding.thresholds: expected labels of the task, {', '.join(labels[:20])}, got {unknown[0]!r}"
        )
    limits = [thresholds.get(label, threshold) for label in labels]
    return [
        [label for label, probability, limit in zip(labels, p_C, limits, strict=True) if probability > limit]
        for p_C in _probabilities(logits, features=features, rows=rows)
    ]


def results(
    logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str], threshold: float,
    thresholds: Mapping[str, float],
) -> list[dict]:  # fmt: skip
    """Of each row its `labels`, and `scores`, the probabilities of all labels."""
    options = {"threshold": threshold, "thresholds": thresholds}
    decoded = decode(logits, features=features, rows=rows, labels=labels, **options)
    probabilities = _probabilities(logits, features=features, rows=rows)
    return [
        {"labels": found, "scores": dict(zip(labels, p_C, strict=True))}
        for found, p_C in zip(decoded, probabilities, strict=True)
    ]


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> None:
    """None: a label's probability is one of two, and no label is any other's alternative."""


def _indicators(given: list[str] | None, labels: list[str]) -> list[float]:
    return [float("nan") if given is None else float(label in given) for label in labels]


def _probabilities(logits: list[np.ndarray], *, features: list[dict], rows: list[dict]) -> list[list[float]]:
    by_row = {feature["row"]: scores_C for feature, scores_C in zip(features, logits, strict=True)}
    return [(1 / (1 + np.exp(-by_row[index].astype(np.float64)))).tolist() for index in range(len(rows))]
