"""What the kinds' rows.py share: base classes of a task's options, and texts in a source's columns."""

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tinybert.errors import InputError, shorten

TEXTS = ("text", "text_pair")
TEXT_FIELDS = (pa.field("text", pa.string(), nullable=False), pa.field("text_pair", pa.string(), nullable=True))
SHOWN_LABELS = 20  # an error message lists so many


class NoLabel(InputError):
    """A row has no label where one belongs, as in the hidden test split of a benchmark."""


class Options(BaseModel):
    """Strictly typed fields; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _number_as_name(value: object) -> object:
    return str(value) if type(value) is int and value >= 0 else value


Column = Annotated[str, BeforeValidator(_number_as_name)]
"""A name, or a number from 0 on in a table without a header, where readers make names of numbers."""


def are_numbers(columns: Mapping[str, Any]) -> bool:
    """Whether columns, as given, are told by their numbers."""
    flat = (part for value in columns.values() for part in (value if isinstance(value, (list, tuple)) else [value]))
    return any(type(part) is int for part in flat)


class InputColumns(Options):
    """The source's names for the columns. A pair of names under `text` makes it a task on pairs."""

    text: Column | Annotated[tuple[Column, Column], Field(strict=False)]  # YAML has lists only


class TextColumns(InputColumns):
    """The same, with one label."""

    label: Column = "label"


class LengthEncoding(Options):
    """How text becomes token ids, for a kind that needs a length alone."""

    max_length: int = Field(default=128, ge=16)  # tokens of a sequence, special tokens included


class NoDecoding(Options):
    """How logits become predictions, for a kind that leaves no choice."""


def input_columns(columns: InputColumns) -> list[str]:
    """The source's columns that hold the text, or the pair of texts."""
    return [columns.text] if isinstance(columns.text, str) else list(columns.text)


def column_names(columns: TextColumns) -> list[str]:
    """The text or the pair of texts, and the label."""
    return [*input_columns(columns), columns.label]


def label_column(columns: TextColumns) -> str:
    return columns.label


def read_texts(row: dict, *, columns: InputColumns) -> dict:
    """The fields `text` and `text_pair` of a row; `text_pair` is None where the task has one text.

    The second text of a pair may be empty: real pair data has such rows, and BERT's input for them is well defined.
    Raises InputError for a value that is not a string, and for an empty first text.
    """
    first, *second = input_columns(columns)
    return {
        "text": read_visible_text(row[first], what=f"text (column {first!r})"),
        "text_pair": read_text(row[second[0]], what=f"second text (column {second[0]!r})") if second else None,
    }


def read_text(value: object, *, what: str) -> str:
    """The value, which may be an empty string. Raises InputError for one that is not a string."""
    if not isinstance(value, str):
        raise InputError(f"{what}: expected a string, got {describe(value)}")
    return value


def read_visible_text(value: object, *, what: str) -> str:
    """As `read_text`; raises InputError also for a string without a visible character."""
    text = read_text(value, what=what)
    if not text.strip():
        raise InputError(f"{what}: expected at least one visible character, got {shorten(text)}")
    return text


def in_order(labels: set[str]) -> list[str]:
    """Labels sorted: whole numbers as numbers, anything else as text."""
    numbers = all(label.isascii() and label.removeprefix("-").isdigit() for label in labels)
    return sorted(labels, key=(lambda label: (int(label), label)) if numbers else None)


def accept_split(rows: list[dict]) -> None:
    """`check_split` of a kind that refuses none."""


def describe(value: object) -> str:
    """A value, cut where it is long, and its type, for an error message."""
    return "null" if value is None else f"{shorten(value)} ({type(value).__name__})"
