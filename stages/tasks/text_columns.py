"""Texts in a source's columns, as the kinds of task read them."""

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
    first, *second = text_columns(text)
    return {
        "text": read_visible_text(row[first], what=f"text (column {first!r})"),
        "text_pair": read_text(row[second[0]], what=f"second text (column {second[0]!r})") if second else None,
    }


def read_text(value: object, *, what: str) -> str:
    """A text as it is, an empty one too. Raises InputError for a missing value and for one that is no text."""
    if value is None:
        raise InputError(f"{what} is missing (null); wanted a text")
    if not isinstance(value, str):
        raise InputError(f"{what} is {value!r} ({type(value).__name__}); wanted a text")
    return value


def read_visible_text(value: object, *, what: str) -> str:
    """As `read_text`. Raises InputError for a text without a visible character too."""
    text = read_text(value, what=what)
    if not text.strip():
        raise InputError(f"{what} is empty; wanted at least one visible character")
    return text
