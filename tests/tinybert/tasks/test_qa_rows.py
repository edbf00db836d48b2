import hashlib

import pyarrow as pa
import pytest

from tests.tinybert.tasks.test_kinds import refusals
from tinybert.errors import InputError
from tinybert.tasks.qa.rows import (
    SCHEMA,
    Columns,
    Decoding,
    Encoding,
    check_row,
    column_names,
    label_column,
    label_names,
    read_row,
)

COLUMNS = Columns(id="key")
CONTEXT = "Ann sat. Ann ran."


def read(answers: object, *, columns: Columns = COLUMNS, **changed: object) -> dict:
    row = {"key": 7, "question": "Who?", "context": CONTEXT, "answers": answers} | changed
    return read_row(row, columns=columns, names=None)


def test_column_names_are_those_that_are_read():
    assert column_names(COLUMNS) == ["key", "question", "context", "answers"]
    assert column_names(Columns(answers="a")) == ["question", "context", "a"]


@pytest.mark.parametrize(
    ("answers", "read_answers"),
    [
        (
            {"text": ["Ann", "ran"], "answer_start": [9, 13]},
            [{"text": "Ann", "start": 9}, {"text": "ran", "start": 13}],
        ),
        ([{"text": "Ann", "answer_start": 9}], [{"text": "Ann", "start": 9}]),
        ("Ann", [{"text": "Ann", "start": 0}]),
        ("ran.", [{"text": "ran.", "start": 13}]),
        ("", []),
        ([], []),
        ({"text": [], "answer_start": []}, []),
    ],
)
def test_answers_are_read_in_each_of_their_forms(answers, read_answers):
    assert read(answers) == {"id": "7", "question": "Who?", "context": CONTEXT, "answers": read_answers}


def test_a_missing_id_is_a_digest_that_keeps_question_and_context_apart():
    digest = hashlib.sha256(b"Who?\0" + CONTEXT.encode()).hexdigest()
    assert read("Ann", columns=Columns())["id"] == digest[:16]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([{"text": "Ann", "answer_start": 8}], "expected answer 'Ann' in the context at character 8, got ' An'"),
        ([{"text": "Ann", "answer_start": -8}], "expected answer 'Ann' in the context at character -8, got ''"),
        ([{"text": "Ann", "answer_start": 99}], "expected answer 'Ann' in the context at character 99, got ''"),
        ("Bob", "answer 'Bob' does not occur in its context"),
        ([{"text": "", "answer_start": 0}], "expected a span of the context, or no answer at all, got an empty answer"),
        (
            [{"text": "Ann", "answer_start": "9"}],
            "answer: expected a string and an integer, got text 'Ann', answer_start '9'",
        ),
        (
            {"text": ["Ann"], "answer_start": []},
            r"answers: expected two lists of one length, got text \['Ann'\], answer_start \[\]",
        ),
        (None, "answers: expected a string, a list of .*, got 'None'"),
        (["Ann"], "answers: expected a string, a list of {text, answer_start}, or .*"),
    ],
)
def test_bad_answers_are_refused_with_what_is_wrong(answers, message):
    with pytest.raises(InputError, match=message):
        read(answers)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"question": " "}, "question: expected at least one visible character, got ' '"),
        ({"context": None}, "context: expected a string, got null"),
        ({"key": ""}, "id: expected at least one visible character, got ''"),
        ({"key": None}, "id: expected a string, got null"),
    ],
)
def test_a_bad_row_is_refused_with_what_is_wrong(changed, message):
    with pytest.raises(InputError, match=message):
        read("", **changed)


@pytest.mark.parametrize("value", ["no", 0, 1.0, None])
def test_unanswerable_is_true_or_false_and_no_string_that_spells_it(value):
    assert refusals(Decoding, {"max_answer_length": 5, "unanswerable": value}) == [
        (("unanswerable",), "Input should be a valid boolean")
    ]


def test_a_doc_stride_that_leaves_gaps_is_refused():
    assert refusals(Encoding, {"max_length": 17, "doc_stride": 6}) == []
    message = (
        "Value error, doc_stride: expected 1 to 6, got 7, since with max_length 17 and a long question a larger stride "
        "skips parts of the context"
    )
    assert refusals(Encoding, {"max_length": 17, "doc_stride": 7}) == [((), message)]


def test_there_are_no_labels():
    assert label_names([read("Ann")], names=None) == []
    assert label_column(COLUMNS) is None


def test_an_answer_that_is_not_in_its_context_is_refused_later_too():
    check_row(read("Ann"), labels=[])
    with pytest.raises(InputError, match="expected answer 'Ann' in the context at character 1, got 'nn '"):
        check_row({"context": CONTEXT, "answers": [{"text": "Ann", "start": 1}]}, labels=[])


def test_rows_survive_the_table():
    rows = [read("Ann"), read("")]
    assert pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist() == rows
