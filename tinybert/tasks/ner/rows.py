"""Named entities, one tag per word: a source's rows as one table.

In the table tags are BIO (IOB2): `O`, `B-type` where an entity begins, `I-type` where it goes on.
"""

import pyarrow as pa

from tinybert.errors import InputError, shorten
from tinybert.tasks.columns import (
    Column,
    LengthEncoding,
    NoDecoding,
    NoLabel,
    Options,
    accept_split,
    describe,
    read_text,
)

SCHEMA = pa.schema([pa.field(name, pa.list_(pa.string()), nullable=False) for name in ("words", "tags")])

OUTSIDE = "O"
BEGINNING, INSIDE, ENDING, SINGLE = "B", "I", "EL", "SU"
"""First letters of tags: B and I of all schemes, E and S of IOBES, L and U of BILOU."""
PREFIXES = BEGINNING + INSIDE + ENDING + SINGLE


class Columns(Options):
    """The source's names for the columns."""

    words: Column = "tokens"
    tags: Column = "ner_tags"


INPUTS = AUGMENTED = GROUPED = ("words",)
Encoding, Decoding = LengthEncoding, NoDecoding


def input_columns(columns: Columns) -> list[str]:
    return [columns.words]


def column_names(columns: Columns) -> list[str]:
    return [columns.words, columns.tags]


def label_column(columns: Columns) -> str:
    return columns.tags


def read_input(row: dict, *, columns: Columns) -> dict:
    """The words of a source's row. Raises InputError for a row without words, and a word that is not a string."""
    words = _sequence(row[columns.words], what="words")
    if not words:
        raise InputError("expected one or more words, got none")
    return {"words": [read_text(word, what=f"word {number}") for number, word in enumerate(words, start=1)]}


def read_row(row: dict, *, columns: Columns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA. Words and tags are lists, or strings separated by white space (csv).

    names: the tag column's class names where the source has them, and the row then holds indices into them. Tags may be
    BIO, IOB1, IOBES or BILOU, and become BIO. Raises NoLabel for a word without a tag (null, empty, -1), InputError for
    a row without words, a word that is not a string, unequally many words and tags, and a tag of another form.
    """
    words, tags = read_input(row, columns=columns)["words"], _sequence(row[columns.tags], what="tags")
    if len(words) != len(tags):
        raise InputError(f"expected one tag per word, got {len(words)} words and {len(tags)} tags")
    return {"words": words, "tags": _bio([_tag(tag, names=names) for tag in tags])}


def label_names(train_rows: list[dict], *, names: list[str] | None) -> list[str]:
    """`O`, then B- and I- of every entity type in the training rows, sorted.

    Both of each type even where the training rows have one of the two: if they show a type in single words only, a
    two-word entity of the test split is a mistake to count, and no reason to refuse the row. Raises InputError where
    the training rows have no entity.
    """
    types = {tag[2:] for row in train_rows for tag in row["tags"] if tag != "O"}
    if not types:
        raise InputError("expected entities in the training rows, got the tag O for every word")
    return ["O", *sorted(f"{prefix}-{type_}" for prefix in "BI" for type_ in types)]


def check_row(row: dict, *, labels: list[str]) -> None:
    """Raises InputError for a tag of a type that the training rows do not have."""
    unknown = [tag for tag in row["tags"] if tag not in labels]
    if unknown:
        raise InputError(f"tag: expected a type of the training rows, {', '.join(labels)}, got {unknown[0]!r}")


def _sequence(value: object, *, what: str) -> list:
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list):
        raise InputError(f"{what}: expected a list, or a string separated by white space, got {describe(value)}")
    return value


check_split = accept_split


def _bio(tags: list[str]) -> list[str]:
    """The same entities in BIO (IOB2), of which each begins with B-: tags in BIO, IOB1, IOBES or BILOU.

    An I-, E- or L- that continues nothing begins an entity, as conlleval counts it.
    """
    converted, open_type = list[str](), None
    for tag in tags:
        prefix, _, type_ = tag.partition("-")
        begins = prefix in SINGLE + BEGINNING or type_ != open_type
        converted.append(tag if tag == OUTSIDE else f"{'B' if begins else 'I'}-{type_}")
        open_type = type_ if prefix in BEGINNING + INSIDE else None
    return converted


def _tag(value: object, *, names: list[str] | None) -> str:
    if value is None or value == "" or (value == -1 and names is not None):
        raise NoLabel(f"tag: expected one for every word, got {describe(value)}")
    tag = value if names is None else _name(value, names=names)
    if not isinstance(tag, str) or not (tag == OUTSIDE or (tag[:1] in PREFIXES and tag[1:2] == "-" and tag[2:])):
        raise InputError(
            f"tag: expected BIO, IOB1, IOBES or BILOU, which is O or a letter of {', '.join(PREFIXES)} with -type, got "
            f"{shorten(tag)}"
        )
    return tag


def _name(index: object, *, names: list[str]) -> str:
    if not isinstance(index, int) or not 0 <= index < len(names):
        raise InputError(f"tag: expected an index from 0 to {len(names) - 1} into the class names, got {index!r}")
    return names[index]
