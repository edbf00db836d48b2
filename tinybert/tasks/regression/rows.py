"""Regression on a text or a pair of texts: a source's rows as one table."""

import math

import pyarrow as pa

from tinybert.errors import InputError
from tinybert.tasks import columns as shared
from tinybert.tasks.columns import SHOWN_LABELS, TEXT_FIELDS, TEXTS, TextColumns, describe, read_texts

SCHEMA = pa.schema([*TEXT_FIELDS, pa.field("label", pa.float64(), nullable=False)])
Columns, Encoding, Decoding = TextColumns, shared.LengthEncoding, shared.NoDecoding
INPUTS = AUGMENTED = TEXTS
column_names, label_column = shared.column_names, shared.label_column
input_columns, read_input = shared.input_columns, shared.read_texts


def read_row(row: dict, *, columns: TextColumns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA; the label is a number or a string that spells one.

    Raises InputError for an empty text, a label that is not a finite number, and a label column of classes (`names`).
    """
    if names is not None:
        classes = ", ".join(names[:SHOWN_LABELS])
        raise InputError(f"column {columns.label!r}: expected numbers, got classes ({classes})")
    read = read_texts(row, columns=columns) | {"label": _score(row[columns.label])}
    check_row(read, labels=[])
    return read


def label_names(train_rows: list[dict], *, names: list[str] | None) -> list[str]:
    """Empty: a score has no classes."""
    return []


def check_row(row: dict, *, labels: list[str]) -> None:
    """Raises InputError for a score that is not a finite number."""
    if not math.isfinite(row["label"]):
        raise InputError(f"label: expected a finite number, got {row['label']}")


def _score(value: object) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise InputError(f"label: expected a number, got {describe(value)}") from None
