"""Extractive question answering: a source's rows made into one table. The data side, without torch.

The answers of a question are spans of its context; a question without any is unanswerable, as in SQuAD 2.0.
"""

import hashlib

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from stages.pipeline.errors import InputError
from stages.tasks.text_columns import read_visible_text

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("context", pa.string(), nullable=False),
        pa.field("answers", pa.list_(pa.struct({"text": pa.string(), "start": pa.int32()})), nullable=False),
    ]
)
NUM_SPECIAL = 3  # [CLS] question [SEP] context [SEP]
ID_DIGITS = 16  # of the sha256 that stands in for a missing id
SHOWN_CHARACTERS = 60  # of an answer, in an error


class Columns(BaseModel):
    """The names of the source's columns. Without `id`, a digest of question and context is the id."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str | None = None
    question: str = "question"
    context: str = "context"
    answers: str = "answers"


class Encoding(BaseModel):
    """How texts become token ids."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_length: int = Field(ge=16)  # tokens in a sequence, special ones included
    doc_stride: int = Field(ge=1)  # tokens from one window's start to the next's, in a context too long for one

    @model_validator(mode="after")
    def _windows_leave_no_gaps(self) -> "Encoding":
        largest = self.max_length - self.max_length // 2 - NUM_SPECIAL  # a question is cut to half of max_length
        if self.doc_stride > largest:
            raise ValueError(
                f"doc_stride is {self.doc_stride}; wanted 1 to {largest}, since with max_length {self.max_length} and "
                "a long question a larger step skips parts of the context"
            )
        return self


class Decoding(BaseModel):
    """How logits become predictions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_answer_length: int = Field(ge=1)  # tokens
    unanswerable: bool  # whether an empty answer may be given


def column_names(columns: Columns) -> list[str]:
    """The source columns that read_row reads."""
    return [*([] if columns.id is None else [columns.id]), columns.question, columns.context, columns.answers]


def read_row(row: dict, *, columns: Columns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA.

    Answers are SQuAD's {"text": [...], "answer_start": [...]}, or a list of {"text": ..., "answer_start": ...}, or a
    text, whose first place in the context is taken ("" is unanswerable). Starts are in characters, from 0.
    Raises InputError for an empty question or context and for an answer that is not where it is said to be.
    """
    question = read_visible_text(row[columns.question], what="question")
    context = read_visible_text(row[columns.context], what="context")
    identity = _digest(question, context) if columns.id is None else _identity(row[columns.id])
    answers = _answers(row[columns.answers], context=context)
    read = {"id": identity, "question": question, "context": context, "answers": answers}
    check_row(read, labels=None)
    return read


def label_names(train_rows: list[dict], *, names: list[str] | None) -> None:
    """None: an answer is a span, not a class."""
    return None


def check_row(row: dict, *, labels: None) -> None:
    """Raises InputError for an answer that is empty, or that the context does not have at the answer's start."""
    for answer in row["answers"]:
        text, start = answer["text"], answer["start"]
        if not text.strip():
            raise InputError("an answer is an empty text; wanted a span of the context, or no answer at all")
        found = row["context"][start : start + len(text)] if start >= 0 else ""
        if found != text:
            raise InputError(
                f"answer {text[:SHOWN_CHARACTERS]!r} is not in its context at character {start}: "
                f"found {found[:SHOWN_CHARACTERS]!r}"
            )


def _answers(value: object, *, context: str) -> list[dict]:
    if isinstance(value, str):
        return [_search(value, context=context)] if value else []
    if isinstance(value, dict) and {"text", "answer_start"} <= value.keys():
        texts, starts = value["text"], value["answer_start"]
        if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
            raise InputError(f"answers have text {texts!r} and answer_start {starts!r}; wanted two lists of one length")
        return [_answer(text, start) for text, start in zip(texts, starts, strict=True)]
    if isinstance(value, list) and all(
        isinstance(item, dict) and {"text", "answer_start"} <= item.keys() for item in value
    ):
        return [_answer(item["text"], item["answer_start"]) for item in value]
    raise InputError(
        f"answers are {str(value)[:SHOWN_CHARACTERS]!r}; wanted a text, a list of {{text, answer_start}}, "
        "or {text: [...], answer_start: [...]}"
    )


def _answer(text: object, start: object) -> dict:
    if not isinstance(text, str) or not isinstance(start, int):
        raise InputError(f"an answer has text {text!r} and answer_start {start!r}; wanted a text and a whole number")
    return {"text": text, "start": start}


def _search(text: str, *, context: str) -> dict:
    start = context.find(text)
    if start < 0:
        raise InputError(f"answer {text[:SHOWN_CHARACTERS]!r} does not occur in its context")
    return {"text": text, "start": start}


def _identity(value: object) -> str:
    return str(value) if isinstance(value, int) else read_visible_text(value, what="id")


def _digest(question: str, context: str) -> str:
    # The zero byte keeps ("ab", "c") and ("a", "bc") apart.
    return hashlib.sha256(f"{question}\0{context}".encode()).hexdigest()[:ID_DIGITS]
