"""Classification of a text or a pair of texts: a source's rows as one table."""

import pyarrow as pa

from tinybert.errors import InputError
from tinybert.tasks import columns as shared
from tinybert.tasks.columns import SHOWN_LABELS, TEXT_FIELDS, TEXTS, NoLabel, TextColumns, describe, read_texts

SCHEMA = pa.schema([*TEXT_FIELDS, pa.field("label", pa.string(), nullable=False)])
Columns, Encoding, Decoding = TextColumns, shared.LengthEncoding, shared.NoDecoding
INPUTS = AUGMENTED = GROUPED = TEXTS
column_names, label_column = shared.column_names, shared.label_column
input_columns, read_input = shared.input_columns, shared.read_texts
check_split = shared.accept_split


def read_row(row: dict, *, columns: TextColumns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA.

    names: the label column's class names where the source has them, and the row then holds an index into them;
    without names an int, bool or str label becomes its string. Raises NoLabel for a row without one (null, empty, "-",
    -1 where there are names), InputError for an empty text and a label of another type.
    """
    return read_texts(row, columns=columns) | {"label": _label(row[columns.label], names=names)}


def label_names(train_rows: list[dict], *, names: list[str] | None) -> list[str]:
    """The labels of the training rows, in the order of the source's class names, or sorted where it has none (whole
    numbers as numbers).

    Raises InputError for fewer than two labels.
    """
    present = {row["label"] for row in train_rows}
    labels = shared.in_order(present) if names is None else [name for name in names if name in present]
    if len(labels) < 2:
        raise InputError(f"expected two or more labels in the training rows, got {labels}")
    return labels


def check_row(row: dict, *, labels: list[str]) -> None:
    """Raises InputError for a label that the training rows do not have."""
    if row["label"] not in labels:
        raise InputError(f"label: expected one of the training rows' labels, {_listed(labels)}, got {row['label']!r}")


def _label(value: object, *, names: list[str] | None) -> str:
    if _is_missing(value) or (value == -1 and names is not None):
        raise NoLabel(f"label: expected a class, got {describe(value)}")
    if not isinstance(value, (bool, int, str)):
        raise InputError(f"label: expected an integer, a boolean or a string, got {describe(value)}")
    if names is None:
        return str(value)
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise InputError(f"label: expected an index from 0 to {len(names) - 1} into the class names, got {value!r}")
    return names[value]


def _is_missing(value: object) -> bool:
    """Null, NaN, an empty string, or the dash of SNLI for a pair on which annotators did not agree."""
    return value is None or value != value or (isinstance(value, str) and value.strip() in ("", "-"))


def _listed(labels: list[str]) -> str:
    return ", ".join(labels[:SHOWN_LABELS]) + (", ..." if len(labels) > SHOWN_LABELS else "")
