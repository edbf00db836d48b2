import hashlib

import pyarrow as pa
import pytest

from stages.pipeline.errors import InputError
from stages.pipeline.parameters import problems
from stages.tasks.qa_rows import SCHEMA, Columns, Decoding, Encoding, check_row, column_names, label_names, read_row

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
    found = read("Ann", columns=Columns())["id"]
    assert found == hashlib.sha256(b"Who?\0" + CONTEXT.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([{"text": "Ann", "answer_start": 8}], "answer 'Ann' is not in its context at character 8: found ' An'"),
        ([{"text": "Ann", "answer_start": -8}], "answer 'Ann' is not in its context at character -8: found ''"),
        ([{"text": "Ann", "answer_start": 99}], "answer 'Ann' is not in its context at character 99: found ''"),
        ("Bob", "answer 'Bob' does not occur in its context"),
        ([{"text": "", "answer_start": 0}], "an answer is an empty text"),
        ([{"text": "Ann", "answer_start": "9"}], "an answer has text 'Ann' and answer_start '9'"),
        ({"text": ["Ann"], "answer_start": []}, r"answers have text \['Ann'\] and answer_start \[\]; wanted two lists"),
        (None, "answers are 'None'; wanted a text, a list of"),
        (["Ann"], "wanted a text, a list of {text, answer_start}"),
    ],
)
def test_bad_answers_are_refused_with_what_is_wrong(answers, message):
    with pytest.raises(InputError, match=message):
        read(answers)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"question": " "}, "question is empty; wanted at least one visible character"),
        ({"context": None}, r"context is missing \(null\); wanted a text"),
        ({"key": ""}, "id is empty; wanted at least one visible character"),
        ({"key": None}, r"id is missing \(null\); wanted a text"),
    ],
)
def test_a_bad_row_is_refused_with_what_is_wrong(changed, message):
    with pytest.raises(InputError, match=message):
        read("", **changed)


@pytest.mark.parametrize("given", ["no", 0, 1.0, None])
def test_unanswerable_is_true_or_false_and_no_text_that_spells_it(given):
    (line,) = problems(Decoding, {"max_answer_length": 5, "unanswerable": given})
    assert line == f"unanswerable: got {given!r}, should be a valid boolean"


def test_a_doc_stride_that_leaves_gaps_is_refused():
    assert problems(Encoding, {"max_length": 17, "doc_stride": 6}) == []
    assert problems(Encoding, {"max_length": 17, "doc_stride": 7}, section=("tasks", "t", "encoding")) == [
        "tasks.t.encoding: doc_stride is 7; wanted 1 to 6, since with max_length 17 and a long question a larger step "
        "skips parts of the context"
    ]


def test_there_are_no_label_names():
    assert label_names([read("Ann")], names=None) is None


def test_an_answer_that_is_not_in_its_context_is_refused_later_too():
    check_row(read("Ann"), labels=None)
    with pytest.raises(InputError, match="answer 'Ann' is not in its context at character 1"):
        check_row({"context": CONTEXT, "answers": [{"text": "Ann", "start": 1}]}, labels=None)


def test_rows_survive_the_table():
    rows = [read("Ann"), read("")]
    assert pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist() == rows
