"""Extractive question answering: a source's rows as one table.

The answers to a question are spans of its context; a question without any is unanswerable, as in SQuAD 2.0.
"""

import hashlib
from typing import TypeGuard

import pyarrow as pa
from pydantic import Field, model_validator

from tinybert.errors import InputError, shorten
from tinybert.tasks.columns import Column, LengthEncoding, NoLabel, Options, accept_split, describe, read_visible_text

ANSWERS = pa.list_(pa.struct({"text": pa.string(), "start": pa.int32()}))
SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("id", "question", "context")),
        pa.field("answers", ANSWERS, nullable=False),
    ]
)
INPUTS, AUGMENTED, GROUPED = ("question", "context"), ("question",), ("context",)
NUM_SPECIAL = 3  # [CLS] question [SEP] context [SEP]
ID_DIGITS = 16  # of the sha256 that stands in for a missing id


class Columns(Options):
    """The source's names for the columns. Without `id`, a digest of question and context is the id."""

    id: Column | None = None
    question: Column = "question"
    context: Column = "context"
    answers: Column = "answers"


class Encoding(LengthEncoding):
    """How text becomes token ids. The defaults are those of BERT on SQuAD (Devlin et al. 2019, run_squad.py)."""

    max_length: int = Field(default=384, ge=16)  # tokens of a sequence, special tokens included
    # Tokens from one window's start to the next's, in a long context.
    doc_stride: int = Field(default_factory=lambda data: min(128, largest_stride(data.get("max_length", 384))), ge=1)

    @model_validator(mode="after")
    def _windows_leave_no_gaps(self) -> "Encoding":
        largest = largest_stride(self.max_length)
        if self.doc_stride > largest:
            raise ValueError(
                f"doc_stride: expected 1 to {largest}, got {self.doc_stride}, since with max_length {self.max_length} "
                "and a long question a larger stride skips parts of the context"
            )
        return self


def largest_stride(max_length: int) -> int:
    """Tokens of context in a window beside the longest question, which is cut to half of max_length."""
    return max_length - max_length // 2 - NUM_SPECIAL


class Decoding(Options):
    """How logits become answers."""

    max_answer_length: int = Field(default=30, ge=1)  # tokens
    unanswerable: bool = False  # whether a prediction may be empty


def input_columns(columns: Columns) -> list[str]:
    """Question and context."""
    return [columns.question, columns.context]


def column_names(columns: Columns) -> list[str]:
    """Question, context and answers, and the id where there is one."""
    return [*([] if columns.id is None else [columns.id]), *input_columns(columns), columns.answers]


def label_column(columns: Columns) -> None:
    """None: an answer is a span of text."""


def read_input(row: dict, *, columns: Columns) -> dict:
    """Question and context of a source's row. Raises InputError for an empty one."""
    return {name: read_visible_text(row[getattr(columns, name)], what=name) for name in INPUTS}


def read_row(row: dict, *, columns: Columns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA.

    Answers are SQuAD's {"text": [...], "answer_start": [...]}, or a list of {"text": ..., "answer_start": ...}, or a
    string, whose first place in the context is taken ("" is unanswerable). Starts are in characters, from 0.
    Raises InputError for an empty question or context, and for an answer that is not in the context at its start.
    """
    texts = read_input(row, columns=columns)
    identity = _digest(**texts) if columns.id is None else _identity(row[columns.id])
    read = {"id": identity, **texts, "answers": _answers(row[columns.answers], context=texts["context"])}
    check_row(read, labels=[])
    return read


def label_names(train_rows: list[dict], *, names: list[str] | None) -> list[str]:
    """Empty: an answer is a span of text."""
    return []


def check_row(row: dict, *, labels: list[str]) -> None:
    """Raises InputError for an answer that is empty, or that the context does not have at the answer's start."""
    for answer in row["answers"]:
        text, start = answer["text"], answer["start"]
        if not text.strip():
            raise InputError("expected a span of the context, or no answer at all, got an empty answer")
        span = row["context"][start : start + len(text)] if start >= 0 else ""
        if span != text:
            raise InputError(
                f"expected answer {shorten(text)} in the context at character {start}, got {shorten(span)}"
            )


check_split = accept_split


def _answers(value: object, *, context: str) -> list[dict]:
    if value is None:
        raise NoLabel(f"answers: expected a string or a list, got {describe(value)}")
    if isinstance(value, str):
        if value not in context:
            raise InputError(f"answer {shorten(value)} does not occur in its context")
        return [{"text": value, "start": context.index(value)}] if value else []
    if _has_answer_keys(value):
        texts, starts = value["text"], value["answer_start"]
        if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
            got = f"text {shorten(texts)}, answer_start {shorten(starts)}"
            raise InputError(f"answers: expected two lists of one length, got {got}")
        return [_answer(text, start) for text, start in zip(texts, starts, strict=True)]
    if isinstance(value, list) and all(_has_answer_keys(item) for item in value):
        return [_answer(item["text"], item["answer_start"]) for item in value]
    raise InputError(
        "answers: expected a string, a list of {text, answer_start}, or {text: [...], answer_start: [...]}, "
        f"got {shorten(value)}"
    )


def _has_answer_keys(value: object) -> TypeGuard[dict]:
    return isinstance(value, dict) and {"text", "answer_start"} <= value.keys()


def _answer(text: object, start: object) -> dict:
    if not isinstance(text, str) or not isinstance(start, int):
        got = f"text {shorten(text)}, answer_start {shorten(start)}"
        raise InputError(f"answer: expected a string and an integer, got {got}")
    return {"text": text, "start": start}


def _identity(value: object) -> str:
    return str(value) if isinstance(value, int) else read_visible_text(value, what="id")


def _digest(question: str, context: str) -> str:
    # The zero byte keeps ("ab", "c") and ("a", "bc") apart.
    return hashlib.sha256(f"{question}\0{context}".encode()).hexdigest()[:ID_DIGITS]
