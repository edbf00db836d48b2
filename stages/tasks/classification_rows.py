"""Classification of one text or a pair of texts: a source's rows made into one table. The data side, without torch."""

from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from stages.pipeline.errors import InputError
from stages.tasks.text_columns import TEXT_FIELDS, read_texts, text_columns

SCHEMA = pa.schema([*TEXT_FIELDS, pa.field("label", pa.string(), nullable=False)])
SHOWN_LABELS = 20  # an error names this many labels of a long list


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
    """A source's row as a row of SCHEMA.

    names: the label column's class names where the source has them (the row then holds an index into them);
    without names an int, bool or str label becomes its string. Raises InputError for an empty text or label,
    an unlabelled row (-1) and a label of another type.
    """
    return read_texts(row, text=columns.text) | {"label": _label(row[columns.label], names=names)}


def label_names(train_rows: list[dict], *, names: list[str] | None) -> list[str]:
    """The labels of the training rows, in the order of the source's class names, or sorted where it has none.

    Raises InputError where there are fewer than two to tell apart.
    """
    found = {row["label"] for row in train_rows}
    labels = sorted(found) if names is None else [name for name in names if name in found]
    if len(labels) < 2:
        raise InputError(f"the training rows have {len(labels)} label(s) {labels}; wanted two or more")
    return labels


def check_row(row: dict, *, labels: list[str]) -> None:
    """Raises InputError for a label that is not one of `labels`, which no model of them can predict."""
    if row["label"] not in labels:
        shown = ", ".join(labels[:SHOWN_LABELS]) + (", ..." if len(labels) > SHOWN_LABELS else "")
        raise InputError(f"label {row['label']!r} does not occur in the training rows; wanted one of {shown}")


def _label(value: object, *, names: list[str] | None) -> str:
    if value is None or (isinstance(value, float) and value != value) or (isinstance(value, str) and not value.strip()):
        raise InputError("label is empty; wanted a class")
    if not isinstance(value, (bool, int, str)):
        raise InputError(f"label is {value!r} ({type(value).__name__}); wanted a whole number, a boolean or a text")
    if names is None:
        return str(value)
    if value == -1:
        raise InputError(f"label is -1: the row is unlabelled; wanted one of {', '.join(names[:SHOWN_LABELS])}")
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise InputError(f"label is {value!r}; wanted an index from 0 to {len(names) - 1} into the class names")
    return names[value]
