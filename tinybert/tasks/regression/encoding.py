"""Regression on a text or a pair of texts: what a model reads, and what its output says."""

import math
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tinybert.tasks.encoding import encode_texts, text_row


def to_row(request: Any, *, tokenizer: Tokenizer) -> dict:
    """A row without a label, see `text_row`."""
    return text_row(request)


def encode(rows: list[dict], *, tokenizer: Tokenizer, max_length: int, labels: list[str]) -> list[dict]:
    """One feature per row: row, input_ids, token_type_ids, and label, the gold score, NaN where there is none."""
    features = encode_texts(rows, tokenizer=tokenizer, max_length=max_length)
    scores = [math.nan if row["label"] is None else row["label"] for row in rows]
    return [feature | {"label": score} for feature, score in zip(features, scores, strict=True)]


def decode(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[float]:
    """The score of each row, in the rows' order; logits: one [1] per feature."""
    scores = {feature["row"]: float(score[0]) for feature, score in zip(features, logits, strict=True)}
    return [scores[index] for index in range(len(rows))]


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> None:
    """None: a score has no probability."""


def results(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[dict]:
    """Of each row `score`, the number."""
    return [{"score": score} for score in decode(logits, features=features, rows=rows, labels=labels)]
