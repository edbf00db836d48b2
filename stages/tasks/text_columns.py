"""Rows of one text or a pair of texts: reading them from a source's columns. Used by classification and regression."""

import pyarrow as pa

from stages.pipeline.errors import InputError

TEXT_FIELDS = (
    pa.field("text", pa.string(), nullable=False),
    pa.field("text_pair", pa.string(), nullable=True),
)


def text_columns(text: str | tuple[str, str]) -> list[str]:
    """The source columns that hold the text, or the pair of texts."""
    return [text] if isinstance(text, str) else list(text)


def read_texts(row: dict, *, text: str | tuple[str, str]) -> dict:
    """The fields `text` and `text_pair` of a unified row; `text_pair` is None where the task has one text.

    The second text of a pair may be an empty string: real pair data has such rows, and BERT's input for them is well
    defined. Raises InputError for a missing text, a value that is no text, and an empty first text.
    """
    first, *second = [_text(row[name], column=name) for name in text_columns(text)]
    if not first.strip():
        raise InputError("text is empty; wanted at least one visible character")
    return {"text": first, "text_pair": second[0] if second else None}


def _text(value: object, *, column: str) -> str:
    if value is None:
        raise InputError(f"column {column!r} is missing (null); wanted a text")
    if not isinstance(value, str):
        raise InputError(f"column {column!r} holds {value!r} ({type(value).__name__}); wanted a text")
    return value
