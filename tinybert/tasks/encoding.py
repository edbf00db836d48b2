"""Text as token ids, and logits as probabilities, with numpy and tokenizers alone. C classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tinybert.errors import InputError, shorten

NO_LABEL = -1
"""The gold label of an example that has none, which no hard loss counts."""


def copy_backend(tokenizer: Tokenizer) -> Tokenizer:
    """A copy of the tokenizer without truncation and padding.

    These are state of a tokenizer: one that is saved later must not carry what an encoding set.
    """
    backend = Tokenizer.from_str(tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    return backend


def cls_and_sep(tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids that stand around a text."""
    first, last = tokenizer.encode("").ids
    return first, last


def encode_texts(rows: list[dict], *, tokenizer: Tokenizer, max_length: int) -> list[dict]:
    """One feature per row: `row` (its index), `input_ids` and `token_type_ids`, at most max_length tokens.

    [CLS] text [SEP], or [CLS] text [SEP] text_pair [SEP]; of a pair that is too long the longer text is cut first.
    """
    backend = copy_backend(tokenizer)
    backend.enable_truncation(max_length, strategy="longest_first")
    texts = [row["text"] if row["text_pair"] is None else (row["text"], row["text_pair"]) for row in rows]
    return [
        {"row": index, "input_ids": encoding.ids, "token_type_ids": encoding.type_ids}
        for index, encoding in enumerate(backend.encode_batch_fast(texts))
    ]


def joined(row: dict) -> str:
    """The text of a row, or its two texts in two lines."""
    return "\n".join(part for part in (row["text"], row["text_pair"]) if part)


def text_row(request: Any) -> dict:
    """A row without a label: of a text, or of an object with `text`, and `text_pair` for a pair of texts.

    Raises InputError for anything else.
    """
    given = {"text": request} if isinstance(request, str) else request
    read = strings(given, required=("text",), optional=("text_pair",))
    return {"text": read["text"], "text_pair": read.get("text_pair"), "label": None}


def strings(request: Any, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, str]:
    """The named strings of an object. Raises InputError where one is missing, or is no string."""
    if not isinstance(request, Mapping) or not all(isinstance(request.get(name), str) for name in required):
        raise InputError(f"expected a string for each of {', '.join(required)}, got {shorten(request)}")
    found = {name: request[name] for name in (*required, *optional) if request.get(name) is not None}
    for name, value in found.items():
        if not isinstance(value, str):
            raise InputError(f"{name}: expected a string, got {shorten(value)}")
    return found


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis, in float64."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float64)
    return exponents / exponents.sum(axis=-1, keepdims=True)
