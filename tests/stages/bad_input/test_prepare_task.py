"""Rows that a task cannot be learnt from, brought to `prepare_task` as a user brings them."""

import json
from pathlib import Path
from typing import Any

from tests.stages.bad_input.project import edit, leftovers, refused, stage, write

NAME = "prepare_task@mine"
TEXTS = [{"text": "a first text", "label": "good"}, {"text": "another one", "label": "bad"}]
QUESTION = {"question": "who?", "context": "it was me", "answers": "me"}
WORDS = {"words": ["in", "Rome"], "tags": ["O", "B-place"]}
KINDS: dict[str, dict[str, Any]] = {
    "classification": {
        "metric": "accuracy",
        "columns": {"text": "text", "label": "label"},
        "encoding": {"max_length": 32},
        "decoding": {},
    },
    "qa": {
        "metric": "f1",
        "columns": {"question": "question", "context": "context", "answers": "answers"},
        "encoding": {"max_length": 32, "doc_stride": 8},
        "decoding": {"max_answer_length": 5, "unanswerable": False},
    },
    "regression": {"metric": "pearson", "columns": {"text": "text"}, "encoding": {"max_length": 32}, "decoding": {}},
    "ner": {
        "metric": "f1",
        "columns": {"words": "words", "tags": "tags"},
        "encoding": {"max_length": 32},
        "decoding": {},
    },
}


def a_task(project: Path, kind: str, *, splits: dict[str, Any] | None = None, **files: Any) -> None:
    """Make `mine` the only task, on the files of data/mine."""
    edit(project, {"tasks.library -> mine": None})
    own = KINDS[kind]
    data = {
        "source": "data/mine",
        "config": None,
        "splits": {"train": "train", "validation": "validation", "test": "test"} | (splits or {}),
        "columns": own["columns"],
        "max_rows": None,
    }
    mine = {
        "kind": kind,
        "metric": own["metric"],
        "data": data,
        "encoding": own["encoding"],
        "decoding": own["decoding"],
    }
    edit(project, {f"tasks.mine.{key}": value for key, value in mine.items()})
    write(project, {f"data/mine/{name}.jsonl": rows for name, rows in files.items()})


def message(project: Path) -> str:
    text = refused(stage(project, NAME), NAME)
    assert leftovers(project, "data/tasks") in ([], ["data/tasks"])
    assert leftovers(project, "data/tasks/mine") == []
    return text


def declare(project: Path, features: str) -> None:
    """Say the types of the columns of data/mine, as a data set of the hub does."""
    write(project, {"data/mine/README.md": f"---\ndataset_info:\n  features:\n{features}---\n"})


TEXT_FEATURE = "  - {name: text, dtype: string}\n"
NAMED_LABEL = "  - {name: label, dtype: {class_label: {names: {'0': bad, '1': good}}}}\n"
NAMED_TAGS = (
    "  - {name: tokens, sequence: string}\n"
    "  - {name: ner_tags, sequence: {class_label: {names: {'0': O, '1': B-place}}}}\n"
)


def labels(project: Path) -> Any:
    """What `prepare_task` makes of the task's labels."""
    made = stage(project, NAME)
    assert made.returncode == 0, made.stderr
    return json.loads((project / "data/tasks/mine/labels.json").read_text())


def test_the_label_column_that_is_not_named_has_the_class_names_of_the_data_set(project: Path):
    rows = [{"text": "a first text", "label": 1}, {"text": "another one", "label": 0}]
    a_task(project, "classification", train=rows, validation=rows, test=rows)
    edit(project, {"tasks.mine.data.columns": {"text": "text"}})
    declare(project, TEXT_FEATURE + NAMED_LABEL)
    assert labels(project) == ["bad", "good"]


def test_the_tag_column_that_is_not_named_has_the_class_names_of_the_data_set(project: Path):
    rows = [{"tokens": ["in", "Rome"], "ner_tags": [0, 1]}]
    a_task(project, "ner", train=rows, validation=rows, test=rows)
    edit(project, {"tasks.mine.data.columns": {}})
    declare(project, NAMED_TAGS)
    assert labels(project) == ["O", "B-place", "I-place"]


def test_classes_in_the_label_column_that_is_not_named_are_no_scores(project: Path):
    rows = [{"text": "a first text", "label": 1}, {"text": "another one", "label": 0}]
    a_task(project, "regression", train=rows, validation=rows, test=rows)
    declare(project, TEXT_FEATURE + NAMED_LABEL)
    assert (
        message(project) == "data/mine, split train, row 1: column 'label': expected numbers, got classes (bad, good)"
    )


def test_a_label_that_training_does_not_have_is_named_with_its_row_and_the_labels_there_are(project: Path):
    strange = [*TEXTS, {"text": "a third", "label": "ugly"}]
    a_task(project, "classification", train=TEXTS, validation=TEXTS, test=strange)
    assert message(project) == (
        "data/mine, split test, row 3: label: expected one of the training rows' labels, bad, good, got 'ugly'"
    )


def test_an_answer_that_is_not_in_its_context_is_named_with_its_row(project: Path):
    a_task(project, "qa", train=[QUESTION, QUESTION | {"answers": "you"}], validation=[QUESTION], test=[QUESTION])
    assert message(project) == "data/mine, split train, row 2: answer 'you' does not occur in its context"


def test_an_answer_that_is_elsewhere_than_said_is_named_with_what_is_there(project: Path):
    wrong = QUESTION | {"answers": {"text": ["me"], "answer_start": [3]}}
    a_task(project, "qa", train=[QUESTION], validation=[wrong], test=[QUESTION])
    assert message(project) == (
        "data/mine, split validation, row 1: expected answer 'me' in the context at character 3, got 'wa'"
    )


def test_words_without_a_tag_each_are_counted(project: Path):
    a_task(project, "ner", train=[WORDS, WORDS | {"tags": ["O"]}], validation=[WORDS], test=[WORDS])
    assert message(project) == "data/mine, split train, row 2: expected one tag per word, got 2 words and 1 tags"


def test_missing_columns_are_named_with_those_that_are_there(project: Path):
    a_task(project, "classification", train=[{"sentence": "a", "label": "x"}], validation=TEXTS, test=TEXTS)
    assert message(project) == "data/mine, split train lacks the columns text; it has sentence, label"


def test_an_unknown_split_is_named_with_those_that_are_there(project: Path):
    a_task(project, "classification", splits={"test": "evaluation"}, train=TEXTS, validation=TEXTS, test=TEXTS)
    assert message(project) == "data/mine has no split 'evaluation'; it has train, validation, test"


def test_a_split_without_rows_is_named(project: Path):
    a_task(project, "classification", train=TEXTS, validation=[], test=TEXTS)
    assert message(project) == "data/mine: the split 'validation' has no rows (validation.jsonl)"


def test_a_share_that_leaves_no_rows_is_named(project: Path):
    a_task(project, "classification", splits={"validation": 0.0001}, train=TEXTS, test=TEXTS)
    assert message(project) == "data/mine: data.splits.validation 0.0001 leaves no validation rows"


def test_a_source_that_is_not_there_is_named(project: Path):
    a_task(project, "classification")
    assert message(project) == "data/mine does not exist; this stage depends on it"


def test_an_empty_source_is_named(project: Path):
    a_task(project, "classification")
    (project / "data/mine").mkdir(parents=True)
    assert message(project).startswith("data/mine cannot be read as a data set: ")


def test_a_file_that_is_not_what_its_name_says_is_named(project: Path):
    a_task(project, "classification", validation=TEXTS, test=TEXTS)
    (project / "data/mine/train.jsonl").write_bytes(b"\xff\xfe\x00nonsense")
    assert "data/mine/train.jsonl" in message(project)
