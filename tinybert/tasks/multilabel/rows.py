"""Multi-label classification of a text or a pair of texts: a source's rows as one table."""

from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field

from tinybert.errors import InputError, shorten
from tinybert.tasks import columns as shared
from tinybert.tasks.columns import (
    SHOWN_LABELS,
    TEXT_FIELDS,
    TEXTS,
    Column,
    InputColumns,
    NoDecoding,
    NoLabel,
    describe,
    read_texts,
)

SCHEMA = pa.schema([*TEXT_FIELDS, pa.field("labels", pa.list_(pa.string()), nullable=False)])
INPUTS = AUGMENTED = GROUPED = TEXTS
Probability = Annotated[float, Field(gt=0, lt=1)]
TRUE, FALSE = (1, "1", "1.0", "true", "yes"), (0, "0", "0.0", "false", "no")
"""Values of a column of one label; True and 1.0 equal 1."""


class Columns(InputColumns):
    """The source's names for the columns. A pair of names under `text` makes it a task on pairs."""

    labels: Column | Annotated[tuple[Column, ...], Field(strict=False, min_length=1)] = "labels"
    """One column with the labels of a row, or a column for each label that says whether a row has it."""
    separator: Annotated[str, Field(min_length=1)] | None = None
    """Of the labels in one string; null where they are a list."""


class Decoding(NoDecoding):
    """How logits become predictions."""

    threshold: Probability = 0.5
    """Above which a label is predicted."""
    thresholds: dict[str, Probability] = {}
    """Those of single labels, where they differ."""


Encoding = shared.LengthEncoding
input_columns, read_input = shared.input_columns, shared.read_texts
check_split = shared.accept_split


def column_names(columns: Columns) -> list[str]:
    """The text or the pair of texts, and the column or columns of labels."""
    labels = [columns.labels] if isinstance(columns.labels, str) else columns.labels
    return [*input_columns(columns), *labels]


def label_column(columns: Columns) -> str | None:
    return columns.labels if isinstance(columns.labels, str) else None


def read_row(row: dict, *, columns: Columns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA; it may have no labels at all.

    names: the class names of the labels where the source has them, and the row then holds indices into them. Raises
    NoLabel where the labels are null, InputError for an empty text and for labels of another form.
    """
    texts = read_texts(row, columns=columns)
    if isinstance(columns.labels, str):
        labels = _listed(row[columns.labels], separator=columns.separator)
        return texts | {"labels": sorted({_name(label, names=names) for label in labels})}
    return texts | {"labels": sorted(label for label in columns.labels if _is_set(row[label], label=label))}


def label_names(train_rows: list[dict], *, names: list[str] | None) -> list[str]:
    """The labels of the training rows, in the order of the source's class names, or sorted where it has none.

    Raises InputError where no row has one.
    """
    present = {label for row in train_rows for label in row["labels"]}
    if not present:
        raise InputError("expected labels in the training rows, got none in any of them")
    return shared.in_order(present) if names is None else [name for name in names if name in present]


def check_row(row: dict, *, labels: list[str]) -> None:
    """Raises InputError for a label that the training rows do not have."""
    for label in row["labels"]:
        if label not in labels:
            known = ", ".join(labels[:SHOWN_LABELS])
            raise InputError(f"labels: expected some of the training rows' labels, {known}, got {label!r}")


def _listed(value: Any, *, separator: str | None) -> list:
    if value is None:
        raise NoLabel("labels: expected a list, got null")
    if isinstance(value, str) and separator is not None:
        return [part.strip() for part in value.split(separator) if part.strip()]
    if isinstance(value, str) and not value.strip():
        return []
    if not isinstance(value, list):
        raise InputError(
            f"labels: expected a list, got {describe(value)}; of a string columns.separator says what stands between "
            "its labels"
        )
    return value


def _name(label: Any, *, names: list[str] | None) -> str:
    if not isinstance(label, (int, str)) or isinstance(label, bool) or label == "":
        raise InputError(f"labels: expected integers or strings, got {describe(label)}")
    if names is None:
        return str(label)
    if not isinstance(label, int) or not 0 <= label < len(names):
        limits = f"from 0 to {len(names) - 1}"
        raise InputError(f"labels: expected indices {limits} into the class names, got {shorten(label)}")
    return names[label]


def _is_set(value: Any, *, label: str) -> bool:
    value = value.strip().lower() if isinstance(value, str) else value
    if value is None or value == "":
        raise NoLabel(f"column {label!r}: expected 0 or 1, got {describe(value)}")
    if value in TRUE or value in FALSE:
        return value in TRUE
    raise InputError(f"column {label!r}: expected 0 or 1, got {describe(value)}")
