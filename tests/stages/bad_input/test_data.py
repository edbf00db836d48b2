"""Data that no corpus can be made of and no task can be learnt from."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.stages.bad_input.project import edit, leftovers, refused, run_well, stage, stage_here, write
from tinybert.tasks.tables import read_rows

Run = Callable[[Path, str], CompletedProcess[str]]
DOCUMENT = {"text": "A document of some words.", "label": 1}
PAIRS = [{"text": "a first text", "label": "good"}, {"text": "another one", "label": "bad"}]
NUMBERED = [{"text": "a first text", "label": 1}, {"text": "another one", "label": 0}]
QUESTION = {"question": "who?", "context": "it was me", "answers": "me"}
WORDS = {"words": ["in", "Rome"], "tags": ["O", "B-place"]}
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "classification": ("accuracy", {"text": "text", "label": "label"}),
    "qa": ("f1", {"question": "question", "context": "context", "answers": "answers"}),
    "regression": ("pearson", {"text": "text"}),
    "ner": ("f1", {"words": "words", "tags": "tags"}),
}
"""A metric of each kind, and columns."""
LABEL_FEATURES = """\
  - {name: text, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': bad, '1': good}}}}
"""
TAG_FEATURES = """\
  - {name: tokens, sequence: string}
  - {name: ner_tags, sequence: {class_label: {names: {'0': O, '1': B-place}}}}
"""


def make_task(project: Path, kind: str, *, splits: Any = None, columns: Any = None, **files: Any) -> None:
    """Have a task `mine` in the place of `library`, on the files of data/mine; `all` is each split."""
    files |= dict.fromkeys(("train", "validation", "test"), files.pop("all")) if "all" in files else {}
    metric, default = KINDS[kind]
    named = {"train": "train", "validation": "validation", "test": "test"} | (splits or {})
    data = {"source": "data/mine", "splits": named, "columns": default if columns is None else columns}
    edit(project, {"tasks.library -> mine": None})
    encoding = {"encoding": {"max_length": 192, "doc_stride": 64}} if kind == "qa" else {}
    edit(project, {"tasks.mine": {"kind": kind, "metric": metric, "data": data} | encoding})
    write(project, {f"data/mine/{name}.jsonl": rows for name, rows in files.items()})


def declare(project: Path, features: str) -> None:
    """Name the types of the columns of data/mine, as a data set of the hub does."""
    write(project, {"data/mine/README.md": f"---\ndataset_info:\n  features:\n{features}---\n"})


def message(
    project: Path, name: str = "prepare_task@mine", *, output: str = "data/tasks/mine", run: Run = stage_here
) -> str:
    text = refused(run(project, name), name)
    assert leftovers(project, output) == []
    return text


@pytest.mark.parametrize(
    ("kind", "columns", "rows", "features", "labels"),
    [
        ("classification", {"text": "text"}, NUMBERED, LABEL_FEATURES, ["bad", "good"]),
        ("ner", {}, [{"tokens": ["in", "Rome"], "ner_tags": [0, 1]}], TAG_FEATURES, ["O", "B-place", "I-place"]),
    ],
)
def test_a_default_column_has_the_class_names_of_the_data_set(
    project: Path, kind: str, columns: dict[str, str], rows: list[dict], features: str, labels: list[str]
):
    make_task(project, kind, columns=columns, all=rows)
    declare(project, features)
    assert stage_here(project, "prepare_task@mine").returncode == 0
    assert json.loads((project / "data/tasks/mine/labels.json").read_text()) == labels


def test_classes_are_no_numbers_to_predict(project: Path):
    make_task(project, "regression", all=NUMBERED)
    declare(project, LABEL_FEATURES)
    expected = "data/mine, split train, row 1: column 'label': expected numbers, got classes (bad, good)"
    assert message(project) == expected


@pytest.mark.parametrize(
    ("kind", "split", "rows", "expected"),
    [
        ("classification", "test", [*PAIRS, {"text": "a third", "label": "ugly"}],
         ", row 3: label: expected one of the training rows' labels, bad, good, got 'ugly'"),
        ("classification", "train", [{"sentence": "a", "label": "x"}],
         " lacks the columns text; it has sentence, label"),
        ("qa", "train", [QUESTION, QUESTION | {"answers": "you"}],
         ", row 2: answer 'you' does not occur in its context"),
        ("qa", "validation", [QUESTION | {"answers": {"text": ["me"], "answer_start": [3]}}],
         ", row 1: expected answer 'me' in the context at character 3, got 'wa'"),
        ("ner", "train", [WORDS, WORDS | {"tags": ["O"]}],
         ", row 2: expected one tag per word, got 2 words and 1 tags"),
    ],
    ids=["unknown label", "missing column", "answer elsewhere", "answer at another place", "missing tag"],
)  # fmt: skip
def test_a_row_that_no_model_can_get_right_is_refused(
    project: Path, kind: str, split: str, rows: list[dict], expected: str
):
    valid = {"classification": PAIRS, "qa": [QUESTION], "ner": [WORDS]}[kind]
    make_task(project, kind, **dict.fromkeys(("train", "validation", "test"), valid) | {split: rows})
    assert message(project) == f"data/mine, split {split}{expected}"


@pytest.mark.parametrize(
    ("kind", "unlabelled", "columns", "expected"),
    [
        ("classification", [{"text": "fine"}, {"text": " "}], {},
         ", row 2: text (column 'text'): expected at least one visible character, got ' '"),
        ("classification", [{"body": "fine"}], {}, " lacks the columns text; it has body"),
        ("qa", [{"question": "who?", "body": ""}], {"context": "body"},
         ", row 1: context: expected at least one visible character, got ''"),
        ("ner", [{"words": []}], {}, ", row 1: expected one or more words, got none"),
    ],
    ids=["no text", "missing column", "no context", "no words"],
)  # fmt: skip
def test_an_unlabelled_row_that_no_model_can_learn_from_is_refused(
    project: Path, kind: str, unlabelled: list[dict], columns: dict[str, str], expected: str
):
    valid = {"classification": PAIRS, "qa": [QUESTION], "ner": [WORDS]}[kind]
    make_task(project, kind, all=valid, more=unlabelled)
    edit(project, {"tasks.mine.data.unlabelled": {"source": "data/mine/more.jsonl", "columns": columns}})
    assert message(project) == f"data/mine/more.jsonl, split train{expected}"
    assert leftovers(project, "data/unlabelled/mine.parquet") == []


def test_unlabelled_rows_need_no_label_and_are_counted(project: Path):
    make_task(project, "classification", all=PAIRS, more=[{"body": f"text {n}"} for n in range(9)])
    unlabelled = {"source": "data/mine/more.jsonl", "columns": {"text": "body"}, "max_rows": 4}
    edit(project, {"tasks.mine.data.unlabelled": unlabelled})
    run_well(project, "prepare_task@mine")
    rows = read_rows(project / "data/unlabelled", "mine")
    assert len(rows) == 4 and len({row["text"] for row in rows}) == 4
    assert {(row["text_pair"], row["label"]) for row in rows} == {(None, None)}


@pytest.mark.parametrize(
    ("splits", "files", "expected"),
    [
        ({"test": "evaluation"}, {"all": PAIRS},
         "data/mine has no split 'evaluation', nor a file of that name; it has train, validation, test"),
        ({}, {"train": PAIRS, "validation": [], "test": PAIRS},
         "data/mine: the split 'validation' has no rows (validation.jsonl)"),
        ({"validation": 0.0001}, {"train": PAIRS, "test": PAIRS},
         "data/mine: data.splits (train train, validation 0.0001, test test) leave no validation rows of 2 to train "
         "on; rows that share a text, or data.group, stay together"),
        ({}, {}, "data/mine does not exist; this stage depends on it"),
    ],
    ids=["unknown split", "empty split", "too small a share", "no source"],
)  # fmt: skip
def test_a_split_without_rows_is_refused(project: Path, splits: dict[str, Any], files: dict[str, Any], expected: str):
    make_task(project, "classification", splits=splits, **files)
    assert message(project) == expected


def test_an_empty_source_is_refused(project: Path):
    make_task(project, "classification")
    (project / "data/mine").mkdir(parents=True)
    assert message(project, run=stage).startswith("data/mine cannot be read as a data set: ")


def test_a_file_in_another_format_than_its_name_is_named(project: Path):
    make_task(project, "classification", validation=PAIRS, test=PAIRS)
    (project / "data/mine/train.jsonl").write_bytes(b"\xff\xfe\x00nonsense")
    """In a process of its own, as above: libraries print of such a file, and the message has to be all there is."""
    assert "data/mine/train.jsonl" in message(project, run=stage)


def corpus_message(project: Path, rows: list[dict[str, Any]], **options: Any) -> str:
    section = {"source": "data/mine", "text_column": "text", "min_characters": 10} | options
    edit(project, {f"prepare_corpus.{key}": value for key, value in section.items()})
    write(project, {"data/mine/train.jsonl": rows})
    return message(project, "prepare_corpus", output="data/corpus")


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "3 (int)"), (0, "0 (int)"), (["a", "text"], "['a', 'text'] (list)"), ({}, "{} (dict)")]
)
def test_a_value_that_is_no_text_is_named_with_its_row(project: Path, value: Any, shown: str):
    assert corpus_message(project, [DOCUMENT, DOCUMENT | {"text": None}, DOCUMENT | {"text": value}]) == (
        f"data/mine, split train, row 3: column 'text' (prepare_corpus.text_column): expected a text, got {shown}"
    )


@pytest.mark.parametrize(
    ("rows", "options", "expected"),
    [
        ([DOCUMENT], {"text_column": "label"},
         ", split train, row 1: column 'label' (prepare_corpus.text_column): expected a text, got 1 (int)"),
        ([DOCUMENT], {"text_column": "body"}, " lacks the columns body; it has text, label"),
        ([], {}, ": the split 'train' has no rows (train.jsonl)"),
        ([DOCUMENT, DOCUMENT, DOCUMENT | {"text": "Short."}, DOCUMENT | {"text": None}], {"heldout": 0.0001},
         ": 4 documents leave 1 for training and 0 held out (2 are shorter than prepare_corpus.min_characters, "
         "1 repeated); both need at least one"),
    ],
    ids=["a column of numbers", "no such column", "no rows", "too few documents"],
)  # fmt: skip
def test_a_source_without_texts_is_refused(
    project: Path, rows: list[dict[str, Any]], options: dict[str, Any], expected: str
):
    assert corpus_message(project, rows, **options) == f"data/mine{expected}"
