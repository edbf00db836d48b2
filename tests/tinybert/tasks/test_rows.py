"""A source's rows as tables, of every kind."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.tinybert.tasks.test_kinds import KINDS, ROWS_OF, refusals
from tinybert.errors import InputError
from tinybert.tasks.classification import rows as classification
from tinybert.tasks.columns import NoLabel
from tinybert.tasks.multilabel import rows as multilabel
from tinybert.tasks.ner import rows as ner
from tinybert.tasks.qa import rows as qa
from tinybert.tasks.regression import rows as regression
from tinybert.tasks.tables import read_labels, read_rows, write_labels, write_rows

CONTEXT = "Ann sat. Ann ran."
PAIR = classification.Columns(text=("first", "second"), label="gold")
SOURCES: dict[str, tuple[Any, dict]] = {
    "classification": (classification.Columns(text="sentence"), {"sentence": "hi ", "label": 1}),
    "multilabel": (multilabel.Columns(text="sentence"), {"sentence": "hi ", "labels": ["b", "a", "b"]}),
    "ner": (ner.Columns(), {"tokens": ["Ann", "Lee", "sat"], "ner_tags": ["B-PER", "I-PER", "O"]}),
    "qa": (qa.Columns(id="key"), {"key": 7, "question": "Who?", "context": CONTEXT, "answers": ""}),
    "regression": (
        regression.Columns(text=("first", "second"), label="score"), {"first": "a", "second": "b", "score": 2.5},
    ),
}  # fmt: skip
"""Columns and a row of each kind."""
ROWS = {
    "classification": {"text": "hi ", "text_pair": None, "label": "1"},
    "multilabel": {"text": "hi ", "text_pair": None, "labels": ["a", "b"]},
    "ner": {"words": ["Ann", "Lee", "sat"], "tags": ["B-PER", "I-PER", "O"]},
    "qa": {"id": "7", "question": "Who?", "context": CONTEXT, "answers": []},
    "regression": {"text": "a", "text_pair": "b", "label": 2.5},
}
"""What these rows become."""
AT_9, AT_13 = {"text": "Ann", "start": 9}, {"text": "ran", "start": 13}
CLASSES, TAGS = ["neg", "pos"], ["O", "B-PER", "I-PER"]


def read(kind: str, *, names: list[str] | None = None, **changed: object) -> dict:
    columns, row = SOURCES[kind]
    return ROWS_OF[kind].read_row(row | changed, columns=columns, names=names)


@pytest.mark.parametrize(
    ("kind", "columns", "names", "label"),
    [
        ("classification", classification.Columns(text="sentence"), ["sentence", "label"], "label"),
        ("classification", PAIR, ["first", "second", "gold"], "gold"),
        ("ner", ner.Columns(), ["tokens", "ner_tags"], "ner_tags"),
        ("qa", qa.Columns(id="key"), ["key", "question", "context", "answers"], None),
        ("qa", qa.Columns(answers="a"), ["question", "context", "a"], None),
        ("regression", SOURCES["regression"][0], ["first", "second", "score"], "score"),
    ],
)
def test_column_names_are_those_that_are_read(kind: str, columns: Any, names: list[str], label: str | None):
    assert (ROWS_OF[kind].column_names(columns), ROWS_OF[kind].label_column(columns)) == (names, label)


def test_a_list_of_two_columns_is_a_pair():
    assert classification.Columns.model_validate({"text": ["first", "second"], "label": "gold"}) == PAIR


@pytest.mark.parametrize(
    ("kind", "changed", "names", "expected"),
    [
        ("classification", {"label": 1}, CLASSES, {"label": "pos"}),
        ("classification", {"label": 0}, CLASSES, {"label": "neg"}),
        ("classification", {"label": 1}, None, {"label": "1"}),
        ("classification", {"label": -1}, None, {"label": "-1"}),
        ("classification", {"label": True}, None, {"label": "True"}),
        ("classification", {"label": "pos"}, None, {"label": "pos"}),
        ("multilabel", {}, None, {}),
        ("multilabel", {"labels": [1, 0]}, CLASSES, {"labels": ["neg", "pos"]}),
        ("multilabel", {"labels": [7]}, None, {"labels": ["7"]}),
        ("multilabel", {"labels": []}, None, {"labels": []}),
        ("multilabel", {"labels": " "}, None, {"labels": []}),
        ("ner", {"ner_tags": [1, 2, 0]}, TAGS, {}),
        ("ner", {}, None, {}),
        ("ner", {"tokens": "Ann Lee  sat", "ner_tags": "B-PER I-PER O"}, None, {}),
        ("ner", {"tokens": ["Ann"], "ner_tags": ["I-PER"]}, None, {"words": ["Ann"], "tags": ["B-PER"]}),
        ("ner", {"ner_tags": "I-PER I-PER O"}, None, {}),  # IOB1
        ("ner", {"ner_tags": "B-PER E-PER O"}, None, {}),  # IOBES
        ("ner", {"ner_tags": "B-PER L-PER O"}, None, {}),  # BILOU
        ("ner", {"ner_tags": "S-PER U-PER O"}, None, {"tags": ["B-PER", "B-PER", "O"]}),
        ("ner", {"ner_tags": "I-LOC B-LOC I-PER"}, None, {"tags": ["B-LOC", "B-LOC", "B-PER"]}),
        ("ner", {"ner_tags": "E-LOC I-LOC I-LOC"}, None, {"tags": ["B-LOC", "B-LOC", "I-LOC"]}),
        ("qa", {"answers": {"text": ["Ann", "ran"], "answer_start": [9, 13]}}, None, {"answers": [AT_9, AT_13]}),
        ("qa", {"answers": [{"text": "Ann", "answer_start": 9}]}, None, {"answers": [AT_9]}),
        ("qa", {"answers": "Ann"}, None, {"answers": [{"text": "Ann", "start": 0}]}),
        ("qa", {"answers": "ran."}, None, {"answers": [{"text": "ran.", "start": 13}]}),
        ("qa", {"answers": ""}, None, {}),
        ("qa", {"answers": []}, None, {}),
        ("qa", {"answers": {"text": [], "answer_start": []}}, None, {}),
        ("regression", {"score": 2.5}, None, {}),
        ("regression", {"score": 3}, None, {"label": 3.0}),
        ("regression", {"score": "-1.25"}, None, {"label": -1.25}),
    ],
)
def test_a_row_is_read_in_each_of_its_forms(kind: str, changed: dict, names: list[str] | None, expected: dict):
    assert read(kind, names=names, **changed) == ROWS[kind] | expected


def test_labels_may_be_in_one_string_or_in_columns_of_their_own():
    joined = multilabel.Columns(text="sentence", separator=";")
    row = {"sentence": "hi", "labels": "b; a;", "toxic": "0", "rude": True, "odd": 1.0}
    assert multilabel.read_row(row, columns=joined, names=None)["labels"] == ["a", "b"]
    apart = multilabel.Columns.model_validate({"text": "sentence", "labels": ["toxic", "rude", "odd"]})
    assert multilabel.column_names(apart) == ["sentence", "toxic", "rude", "odd"]
    assert multilabel.read_row(row, columns=apart, names=None)["labels"] == ["odd", "rude"]
    with pytest.raises(InputError, match="column 'toxic': expected 0 or 1, got 2"):
        multilabel.read_row(row | {"toxic": 2}, columns=apart, names=None)
    with pytest.raises(NoLabel, match="column 'rude': expected 0 or 1, got ''"):
        multilabel.read_row(row | {"rude": ""}, columns=apart, names=None)


def test_a_pair_keeps_an_empty_second_text():
    row = classification.read_row({"first": "hi", "second": "", "gold": "x"}, columns=PAIR, names=None)
    assert row == {"text": "hi", "text_pair": "", "label": "x"}


def test_a_missing_id_is_a_digest_that_keeps_question_and_context_apart():
    row = qa.read_row(SOURCES["qa"][1], columns=qa.Columns(), names=None)
    assert row["id"] == hashlib.sha256(b"Who?\0" + CONTEXT.encode()).hexdigest()[:16]


VISIBLE = "expected at least one visible character, got"
AT = "expected answer 'Ann' in the context at character"


@pytest.mark.parametrize(
    ("kind", "changed", "names", "message"),
    [
        ("classification", {"sentence": " \n"}, None, rf"text \(column 'sentence'\): {VISIBLE} ' \\n'"),
        ("classification", {"sentence": None}, None, r"text \(column 'sentence'\): expected a string, got null"),
        ("classification", {"sentence": 5}, None, r"text \(column 'sentence'\): expected a string, got 5 \(int\)"),
        ("classification", {"label": None}, None, "label: expected a class, got null"),
        ("classification", {"label": " "}, None, r"label: expected a class, got ' ' \(str\)"),
        ("classification", {"label": float("nan")}, None, r"label: expected a class, got nan \(float\)"),
        ("classification", {"label": 1.0}, None, r"expected an integer, a boolean or a string, got 1.0 \(float\)"),
        ("classification", {"label": -1}, CLASSES, r"label: expected a class, got -1 \(int\)"),
        ("classification", {"label": 2}, CLASSES, "label: expected an index from 0 to 1 into the class names, got 2"),
        (
            "multilabel",
            {"labels": "a,b"},
            None,
            "expected a list, got 'a,b' .*columns.separator says",
        ),
        ("multilabel", {"labels": [None]}, None, "labels: expected integers or strings, got null"),
        ("multilabel", {"labels": [2]}, CLASSES, "labels: expected indices from 0 to 1 into the class names, got 2"),
        ("ner", {"ner_tags": ["O"] * 4}, None, "expected one tag per word, got 3 words and 4 tags"),
        ("ner", {"tokens": [], "ner_tags": []}, None, "expected one or more words, got none"),
        ("ner", {"tokens": ["a", None, "b"]}, None, "word 2: expected a string, got null"),
        ("ner", {"tokens": None}, None, "words: expected a list, or a string separated by white space, got null"),
        ("ner", {"ner_tags": 3}, None, r"tags: expected a list, .*, got 3 \(int\)"),
        (
            "ner",
            {"ner_tags": "PER O O"},
            None,
            "tag: expected BIO, .* a letter of B, .* with -type, got 'PER'",
        ),
        ("ner", {"ner_tags": "X-PER O O"}, None, "expected BIO, .*, got 'X-PER'"),
        ("ner", {"ner_tags": "B- O O"}, None, "expected BIO, .*, got 'B-'"),
        ("ner", {"ner_tags": [1, 0, 0]}, None, "expected BIO, .*, got 1"),
        ("ner", {"ner_tags": [-1, 0, 0]}, TAGS, r"expected one for every word, got -1 \(int\)"),
        ("ner", {"ner_tags": [3, 0, 0]}, TAGS, "tag: expected an index from 0 to 2 into the class names, got 3"),
        ("ner", {"ner_tags": [0, 0, 0]}, ["_"], "expected BIO, .*, got '_'"),
        ("qa", {"question": " "}, None, f"question: {VISIBLE} ' '"),
        ("qa", {"context": None}, None, "context: expected a string, got null"),
        ("qa", {"key": ""}, None, f"id: {VISIBLE} ''"),
        ("qa", {"key": None}, None, "id: expected a string, got null"),
        ("qa", {"answers": [{"text": "Ann", "answer_start": 8}]}, None, f"{AT} 8, got ' An'"),
        ("qa", {"answers": [{"text": "Ann", "answer_start": -8}]}, None, f"{AT} -8, got ''"),
        ("qa", {"answers": [{"text": "Ann", "answer_start": 99}]}, None, f"{AT} 99, got ''"),
        ("qa", {"answers": "Bob"}, None, "answer 'Bob' does not occur in its context"),
        ("qa", {"answers": [{"text": "", "answer_start": 0}]}, None, "or no answer at all, got an empty answer"),
        ("qa", {"answers": [{"text": "Ann", "answer_start": "9"}]}, None, "got text 'Ann', answer_start '9'"),
        ("qa", {"answers": {"text": ["Ann"], "answer_start": []}}, None, "two lists of one length, got text .'Ann'., "),
        ("qa", {"answers": 7}, None, "answers: expected a string, a list of .*, got 7"),
        ("qa", {"answers": ["Ann"]}, None, "answers: expected a string, a list of {text, answer_start}, or .*"),
        ("regression", {"score": None}, None, "label: expected a number, got null"),
        ("regression", {"score": ""}, None, r"label: expected a number, got '' \(str\)"),
        ("regression", {"score": "high"}, None, r"label: expected a number, got 'high' \(str\)"),
        ("regression", {"score": True}, None, r"label: expected a number, got True \(bool\)"),
        ("regression", {"score": float("nan")}, None, r"label: expected a number, got nan"),
        ("regression", {"score": float("inf")}, None, "label: expected a finite number, got inf"),
        ("regression", {"score": 1}, CLASSES, r"column 'score': expected numbers, got classes \(neg, pos\)"),
    ],
)
def test_a_bad_row_is_refused_with_what_is_wrong(kind: str, changed: dict, names: list[str] | None, message: str):
    with pytest.raises(InputError, match=message):
        read(kind, names=names, **changed)


@pytest.mark.parametrize(
    ("kind", "changed", "names"),
    [
        *(("classification", {"label": label}, None) for label in (None, "", " ", "-", float("nan"))),
        ("classification", {"label": -1}, CLASSES),
        ("multilabel", {"labels": None}, None),
        *(("ner", {"ner_tags": [tag, "O", "O"]}, None) for tag in (None, "")),
        ("ner", {"ner_tags": [-1, 0, 0]}, TAGS),
        ("qa", {"answers": None}, None),
        *(("regression", {"score": score}, None) for score in (None, "", float("nan"))),
    ],
)
def test_a_row_without_a_label_is_told_from_a_bad_one(kind: str, changed: dict, names: list[str] | None):
    with pytest.raises(NoLabel):
        read(kind, names=names, **changed)


def test_a_long_value_is_cut_in_the_message():
    changes: list[dict[str, Any]] = [{"sentence": 10**400}, {"label": ["a" * 10**6]}, {"sentence": {"0": "a" * 10**6}}]
    for changed in changes:
        with pytest.raises(InputError) as caught:
            read("classification", **changed)
        assert len(str(caught.value)) < 200


def test_scores_that_are_all_equal_are_refused():
    regression.check_split([{"label": -1.0}])
    regression.check_split([{"label": -1.0}, {"label": 0.5}])
    with pytest.raises(InputError, match="expected scores that differ, got -1 for all 3 rows"):
        regression.check_split([{"label": -1.0}] * 3)


@pytest.mark.parametrize(
    ("kind", "rows", "names", "labels"),
    [
        ("classification", [{"label": label} for label in ("b", "10", "a", "9", "b")], None, ["10", "9", "a", "b"]),
        ("classification", [{"label": label} for label in ("2", "10", "-1", "0")], None, ["-1", "0", "2", "10"]),
        ("classification", [{"label": label} for label in "zaz"], ["a", "unsure", "z"], ["a", "z"]),
        ("classification", [{"label": label} for label in "zaz"], ["z", "unsure", "a"], ["z", "a"]),
        ("multilabel", [{"labels": ["10", "9"]}, {"labels": []}], None, ["9", "10"]),
        ("multilabel", [{"labels": ["pos"]}], CLASSES, ["pos"]),
        ("ner", [{"tags": ["B-x", "O"]}, {"tags": ["I-a-b"]}], None, ["O", "B-a-b", "B-x", "I-a-b", "I-x"]),
        ("qa", [ROWS["qa"]], None, []),
        ("regression", [ROWS["regression"]], None, []),
    ],
)
def test_labels_are_those_of_the_training_rows(kind: str, rows: list[dict], names: list[str] | None, labels: list[str]):
    assert ROWS_OF[kind].label_names(rows, names=names) == labels


def test_training_rows_that_leave_nothing_to_learn_are_refused():
    with pytest.raises(InputError, match=r"expected two or more labels in the training rows, got \['b'\]"):
        classification.label_names([{"label": "b"}], names=None)
    with pytest.raises(InputError, match="expected entities in the training rows, got the tag O for every word"):
        ner.label_names([{"tags": ["O"]}], names=None)


@pytest.mark.parametrize(
    ("kind", "labels", "changed", "message"),
    [
        ("classification", ["1", "2"], {"label": "c"}, "expected one of the training rows' labels, 1, 2, got 'c'$"),
        ("ner", TAGS, {"tags": ["O", "B-y"]}, "expected a type of the training rows, O, B-PER, I-PER, got 'B-y'"),
        ("qa", [], {"answers": [{"text": "Ann", "start": 1}]}, f"{AT} 1, got 'nn '"),
        ("regression", [], {"label": float("nan")}, "label: expected a finite number, got nan"),
    ],
)
def test_a_row_that_no_model_can_get_right_is_refused(kind: str, labels: list[str], changed: dict, message: str):
    ROWS_OF[kind].check_row(ROWS[kind], labels=labels)
    with pytest.raises(InputError, match=message):
        ROWS_OF[kind].check_row(ROWS[kind] | changed, labels=labels)


@pytest.mark.parametrize("value", ["no", 0, 1.0, None])
def test_unanswerable_is_true_or_false_and_no_string_that_spells_it(value: object):
    expected = [(("unanswerable",), "Input should be a valid boolean")]
    assert refusals(qa.Decoding, {"max_answer_length": 5, "unanswerable": value}) == expected


def test_a_doc_stride_that_leaves_gaps_is_refused():
    assert refusals(qa.Encoding, {"max_length": 17, "doc_stride": 6}) == []
    message = (
        "Value error, doc_stride: expected 1 to 6, got 7, since with max_length 17 and a long question a larger stride "
        "skips parts of the context"
    )
    assert refusals(qa.Encoding, {"max_length": 17, "doc_stride": 7}) == [((), message)]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_survive_the_table(kind: str, tmp_path: Path):
    answered = {"answers": [{"text": "Ann", "start": 0}]} if kind == "qa" else {}
    rows = [ROWS[kind], ROWS[kind] | answered]
    write_rows(tmp_path / "test.parquet", rows, ROWS_OF[kind].SCHEMA)
    assert read_rows(tmp_path, "test") == rows


@pytest.mark.parametrize(("labels", "content"), [(["no", "\u00e9"], '["no", "\u00e9"]\n'), ([], "null\n")])
def test_labels_survive_the_file_which_has_null_for_none(tmp_path: Path, labels: list[str], content: str):
    write_labels(tmp_path, labels)
    assert (tmp_path / "labels.json").read_text(encoding="utf-8") == content
    assert read_labels(tmp_path) == labels
