"""Named entities, one tag per word: a source's rows made into one table. The data side, without torch.

Tags are BIO as conlleval reads them: `O`, `B-type` (an entity begins), `I-type` (it goes on; after `O` or another type
it begins one).
"""

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from stages.pipeline.errors import InputError
from stages.tasks.text_columns import read_text

SCHEMA = pa.schema(
    [
        pa.field("words", pa.list_(pa.string()), nullable=False),
        pa.field("tags", pa.list_(pa.string()), nullable=False),
    ]
)


class Columns(BaseModel):
    """The names of the source's columns."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    words: str = "tokens"
    tags: str = "ner_tags"


class Encoding(BaseModel):
    """How texts become token ids."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_length: int = Field(ge=16)  # tokens in a sequence, special ones included


class Decoding(BaseModel):
    """How logits become predictions: nothing can be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def column_names(columns: Columns) -> list[str]:
    """The source columns that read_row reads."""
    return [columns.words, columns.tags]


def read_row(row: dict, *, columns: Columns, names: list[str] | None) -> dict:
    """A source's row as a row of SCHEMA. Words and tags are lists, or texts parted at white space (csv).

    names: the tag column's class names where the source has them (the row then holds indices into them).
    Raises InputError for a row without words, a word that is no text, as many tags as there are not words,
    an unlabelled word (-1) and a tag that is not BIO.
    """
    words, tags = _sequence(row[columns.words], what="words"), _sequence(row[columns.tags], what="tags")
    if not words:
        raise InputError("the row has no words; wanted one or more")
    if len(words) != len(tags):
        raise InputError(f"{len(words)} words but {len(tags)} tags; wanted one tag per word")
    words = [read_text(word, what=f"word {number}") for number, word in enumerate(words, start=1)]
    return {"words": words, "tags": [_tag(tag, names=names) for tag in tags]}


def label_names(train_rows: list[dict], *, names: list[str] | None) -> list[str]:
    """`O`, then B- and I- of every entity type in the training rows, sorted.

    Both of each type even where train has one of the two: a two-word entity of a type that train shows in single words
    only is then a mistake to be counted in the test split, not a row to refuse. Raises InputError where train has no
    entity.
    """
    types = {tag[2:] for row in train_rows for tag in row["tags"] if tag != "O"}
    if not types:
        raise InputError("every tag of the training rows is O; wanted entities to learn from")
    return ["O", *sorted(f"{prefix}-{type_}" for prefix in "BI" for type_ in types)]


def check_row(row: dict, *, labels: list[str]) -> None:
    """Raises InputError for a tag that is not one of `labels`, which no model of them can predict."""
    unknown = [tag for tag in row["tags"] if tag not in labels]
    if unknown:
        raise InputError(f"tag {unknown[0]!r} is of a type not in the training rows; wanted one of {', '.join(labels)}")


def _sequence(value: object, *, what: str) -> list:
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list):
        raise InputError(f"{what} are {value!r}; wanted a list, or a text parted at spaces")
    return value


def _tag(value: object, *, names: list[str] | None) -> str:
    tag = value if names is None else _name(value, names=names)
    if not isinstance(tag, str) or not (tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2)):
        raise InputError(f"tag {tag!r} is not BIO; wanted O, B-type or I-type")
    return tag


def _name(index: object, *, names: list[str]) -> str:
    if index == -1:
        raise InputError("a tag is -1: the word is unlabelled; wanted a tag for every word")
    if not isinstance(index, int) or not 0 <= index < len(names):
        raise InputError(f"a tag is {index!r}; wanted an index from 0 to {len(names) - 1} into the class names")
    return names[index]
