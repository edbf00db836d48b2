"""Classification of a text or a pair of texts: what a model reads, and what its logits say. C classes."""

from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tinybert.tasks.encoding import NO_LABEL, encode_texts, softmax, text_row


def to_row(request: Any, *, tokenizer: Tokenizer) -> dict:
    """A row without a label, see `text_row`."""
    return text_row(request)


def encode(rows: list[dict], *, tokenizer: Tokenizer, max_length: int, labels: list[str]) -> list[dict]:
    """One feature per row: row, input_ids, token_type_ids, and label, an index into `labels`, or NO_LABEL."""
    indices = {None: NO_LABEL} | {label: index for index, label in enumerate(labels)}
    features = encode_texts(rows, tokenizer=tokenizer, max_length=max_length)
    return [feature | {"label": indices[row["label"]]} for feature, row in zip(features, rows, strict=True)]


def decode(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[str]:
    """The most probable label of each row, in the rows' order; logits: one [C] per feature."""
    best = {feature["row"]: int(scores.argmax()) for feature, scores in zip(features, logits, strict=True)}
    return [labels[best[index]] for index in range(len(rows))]


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Logits [B, C] and gold labels [B] of the features."""
    return np.stack(logits), np.array([feature["label"] for feature in features])


def results(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[dict]:
    """Of each row `label`, its probability `score`, and `scores`, the probabilities of all labels."""
    by_row = {feature["row"]: softmax(scores) for feature, scores in zip(features, logits, strict=True)}
    return [_result(by_row[index], labels) for index in range(len(rows))]


def _result(p_C: np.ndarray, labels: list[str]) -> dict:
    scores = dict(zip(labels, p_C.tolist(), strict=True))
    label = labels[int(p_C.argmax())]
    return {"label": label, "score": scores[label], "scores": scores}
