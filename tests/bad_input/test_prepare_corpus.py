"""Texts that no corpus can be made of, brought to `prepare_corpus` as a user brings them."""

from pathlib import Path
from typing import Any

import pytest

from tests.bad_input.project import edit, leftovers, refused, stage, write

NAME = "prepare_corpus"
DOCUMENT = {"text": "A document of some words.", "label": 1}


def a_corpus(project: Path, rows: list[dict[str, Any]], **options: Any) -> None:
    """Make the file data/mine/train.jsonl the source."""
    plain = {"source": "data/mine", "config": None, "split": "train", "text_column": "text", "min_characters": 10}
    edit(project, {f"{NAME}.{key}": value for key, value in (plain | options).items()})
    write(project, {"data/mine/train.jsonl": rows})


def message(project: Path) -> str:
    found = refused(stage(project, NAME), NAME)
    assert leftovers(project, "data/corpus") == []
    return found


@pytest.mark.parametrize(
    ("value", "found"), [(3, "3 (int)"), (0, "0 (int)"), (["a", "text"], "['a', 'text'] (list)"), ({}, "{} (dict)")]
)
def test_a_value_that_is_no_text_is_named_with_its_row(checked: Path, value: Any, found: str):
    a_corpus(checked, [DOCUMENT, DOCUMENT | {"text": None}, DOCUMENT | {"text": value}])
    assert message(checked) == (
        f"data/mine, split train, row 3: column 'text' (prepare_corpus.text_column) is {found}; wanted is a text"
    )


def test_a_column_of_numbers_is_refused(checked: Path):
    a_corpus(checked, [DOCUMENT], text_column="label")
    assert message(checked) == (
        "data/mine, split train, row 1: column 'label' (prepare_corpus.text_column) is 1 (int); wanted is a text"
    )


def test_a_missing_column_is_named_with_those_that_are_there(checked: Path):
    a_corpus(checked, [DOCUMENT], text_column="body")
    assert message(checked) == "data/mine lacks the columns body; it has text, label"


def test_a_source_without_documents_is_named(checked: Path):
    a_corpus(checked, [])
    assert message(checked) == "data/mine: the split 'train' has no rows (train.jsonl)"


def test_too_few_documents_are_counted(checked: Path):
    a_corpus(checked, [DOCUMENT, DOCUMENT, DOCUMENT | {"text": "Short."}, DOCUMENT | {"text": None}], heldout=0.0001)
    assert message(checked) == (
        "data/mine: 4 documents leave 1 for training and 0 held out (2 are shorter than prepare_corpus.min_characters, "
        "1 repeated); both need at least one"
    )
