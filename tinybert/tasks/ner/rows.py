"""Named entities, one tag per word: a source's rows as one table.

Tags are BIO as conlleval reads them: `O`, `B-type` (an entity begins), `I-type` (it goes on; after `O` or another type
it begins one).
"""

import pyarrow as pa

from tinybert.errors import InputError
from tinybert.tasks.columns import LengthEncoding, NoDecoding, Options, describe, read_text

SCHEMA = pa.schema([pa.field(name, pa.list_(pa.string()), nullable=False) for name in ("words", "tags")])


class Columns(Options):
    """The source's names for the columns."""

    words: str = "tokens"
    tags: str = "ner_tags"


INPUTS = AUGMENTED = ("words",)
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

    names: the tag column's class names where the source has them, and the row then holds indices into them.
    Raises InputError for a row without words, a word that is not a string, unequally many words and tags, an
    unlabelled word (-1) and a tag that is not BIO.
    """
    words, tags = read_input(row, columns=columns)["words"], _sequence(row[columns.tags], what="tags")
    if len(words) != len(tags):
        raise InputError(f"expected one tag per word, got {len(words)} words and {len(tags)} tags")
    return {"words": words, "tags": [_tag(tag, names=names) for tag in tags]}


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


def _tag(value: object, *, names: list[str] | None) -> str:
    tag = value if names is None else _name(value, names=names)
    if not isinstance(tag, str) or not (tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2)):
        raise InputError(f"tag: expected BIO, which is O, B-type or I-type, got {tag!r}")
    return tag


def _name(index: object, *, names: list[str]) -> str:
    if index == -1:
        raise InputError("tag: expected one for every word, got -1, which marks an unlabelled word")
    if not isinstance(index, int) or not 0 <= index < len(names):
        raise InputError(f"tag: expected an index from 0 to {len(names) - 1} into the class names, got {index!r}")
    return names[index]
