"""Regression on a text or a pair of texts: a source's rows as one table."""

import math

import pyarrow as pa

from tinybert.errors import InputError
from tinybert.tasks import columns as shared
from tinybert.tasks.columns import SHOWN_LABELS, TEXT_FIELDS, TEXTS, NoLabel, TextColumns, describe, read_texts

SCHEMA = pa.schema([*TEXT_FIELDS, pa.field("label", pa.float64(), nullable=False)])
Columns, Encoding, Decoding = TextColumns, shared.LengthEncoding, shared.NoDecoding
INPUTS = AUGMENTED = GROUPED = TEXTS
column_names, label_column = shared.column_names, shared.label_column
input_columns, read_input = shared.input_columns, shared.read_texts


def read_row(row: dict, *, columns: TextColumns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA; the label is a number or a string that spells one.

    Raises NoLabel for a row without one (null, empty, NaN), InputError for an empty text, a label that is not a finite
    number, and a label column of classes (`names`).
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


def check_split(rows: list[dict]) -> None:
    """Raises InputError where all scores of several rows are equal: none correlates, and none is to be learnt."""
    if len(rows) > 1 and len({row["label"] for row in rows}) == 1:
        raise InputError(
            f"expected scores that differ, got {rows[0]['label']:g} for all {len(rows)} rows, as in a test split whose "
            "scores are kept secret; data.splits can name another, or a share of the training rows"
        )


def _score(value: object) -> float:
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        raise NoLabel(f"label: expected a number, got {describe(value)}")
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise InputError(f"label: expected a number, got {describe(value)}") from None
