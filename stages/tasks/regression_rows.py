"""Regression on one text or a pair of texts: a source's rows made into one table. The data side, without torch."""

import math
from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from stages.pipeline.errors import InputError
from stages.tasks.text_columns import TEXT_FIELDS, read_texts, text_columns

SCHEMA = pa.schema([*TEXT_FIELDS, pa.field("label", pa.float64(), nullable=False)])


class Columns(BaseModel):
    """The names of the source's columns. A pair of names under `text` makes it a task on pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    text: str | Annotated[tuple[str, str], Field(strict=False)]  # YAML has lists only
    label: str = "label"


class Encoding(BaseModel):
    """How texts become token ids."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_length: int = Field(ge=16)  # tokens in a sequence, special ones included


class Decoding(BaseModel):
    """How logits become predictions: nothing can be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def column_names(columns: Columns) -> list[str]:
    """The source columns that read_row reads."""
    return [*text_columns(columns.text), columns.label]


def read_row(row: dict, *, columns: Columns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA; the label is a number or a text that spells one.

    Raises InputError for an empty text, a label that is no finite number, and a label column of classes (`names`).
    """
    if names is not None:
        raise InputError(f"column {columns.label!r} holds classes ({', '.join(names[:20])}); wanted numbers")
    read = read_texts(row, text=columns.text) | {"label": _score(row[columns.label])}
    check_row(read, labels=None)
    return read


def label_names(train_rows: list[dict], *, names: list[str] | None) -> None:
    """None: a score has no classes."""
    return None


def check_row(row: dict, *, labels: None) -> None:
    """Raises InputError for a score that is not a finite number."""
    if not math.isfinite(row["label"]):
        raise InputError(f"label is {row['label']}; wanted a finite number")


def _score(value: object) -> float:
    if value is None or value == "":
        raise InputError("label is empty; wanted a number")
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InputError(f"label is {value!r} ({type(value).__name__}); wanted a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise InputError(f"label is {value!r}; wanted a number") from None
