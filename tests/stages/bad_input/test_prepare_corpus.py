"""Texts that no corpus can be made of, brought to `prepare_corpus` as a user brings them."""

from pathlib import Path
from typing import Any

import pytest

from tests.stages.bad_input.project import edit, leftovers, refused, stage, write

NAME = "prepare_corpus"
DOCUMENT = {"text": "A document of some words.", "label": 1}


def a_corpus(project: Path, rows: list[dict[str, Any]], **options: Any) -> None:
    """Make the file data/mine/train.jsonl the source."""
    plain = {"source": "data/mine", "config": None, "split": "train", "text_column": "text", "min_characters": 10}
    edit(project, {f"{NAME}.{key}": value for key, value in (plain | options).items()})
    write(project, {"data/mine/train.jsonl": rows})


def message(project: Path) -> str:
    text = refused(stage(project, NAME), NAME)
    assert leftovers(project, "data/corpus") == []
    return text


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "3 (int)"), (0, "0 (int)"), (["a", "text"], "['a', 'text'] (list)"), ({}, "{} (dict)")]
)
def test_a_value_that_is_no_text_is_named_with_its_row(project: Path, value: Any, shown: str):
    a_corpus(project, [DOCUMENT, DOCUMENT | {"text": None}, DOCUMENT | {"text": value}])
    assert message(project) == (
        f"data/mine, split train, row 3: column 'text' (prepare_corpus.text_column): expected a text, got {shown}"
    )


def test_a_column_of_numbers_is_refused(project: Path):
    a_corpus(project, [DOCUMENT], text_column="label")
    assert message(project) == (
        "data/mine, split train, row 1: column 'label' (prepare_corpus.text_column): expected a text, got 1 (int)"
    )


def test_a_missing_column_is_named_with_those_that_are_there(project: Path):
    a_corpus(project, [DOCUMENT], text_column="body")
    assert message(project) == "data/mine lacks the columns body; it has text, label"


def test_a_source_without_documents_is_named(project: Path):
    a_corpus(project, [])
    assert message(project) == "data/mine: the split 'train' has no rows (train.jsonl)"


def test_too_few_documents_are_counted(project: Path):
    a_corpus(project, [DOCUMENT, DOCUMENT, DOCUMENT | {"text": "Short."}, DOCUMENT | {"text": None}], heldout=0.0001)
    assert message(project) == (
        "data/mine: 4 documents leave 1 for training and 0 held out (2 are shorter than prepare_corpus.min_characters, "
        "1 repeated); both need at least one"
    )
