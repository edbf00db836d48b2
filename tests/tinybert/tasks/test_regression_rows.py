import pyarrow as pa
import pytest

from tinybert.errors import InputError
from tinybert.tasks.regression.rows import SCHEMA, Columns, check_row, column_names, label_column, label_names, read_row

COLUMNS = Columns(text=("first", "second"), label="score")


def read(label: object, *, names: list[str] | None = None) -> dict:
    return read_row({"first": "a", "second": "b", "score": label}, columns=COLUMNS, names=names)


def test_column_names_are_those_that_are_read():
    assert column_names(COLUMNS) == ["first", "second", "score"]
    assert label_column(COLUMNS) == "score"


@pytest.mark.parametrize(("label", "score"), [(2.5, 2.5), (3, 3.0), ("-1.25", -1.25)])
def test_a_number_or_its_text_becomes_a_score(label, score):
    assert read(label) == {"text": "a", "text_pair": "b", "label": score}


@pytest.mark.parametrize(
    ("label", "names", "message"),
    [
        (None, None, "label: expected a number, got null"),
        ("", None, r"label: expected a number, got '' \(str\)"),
        ("high", None, r"label: expected a number, got 'high' \(str\)"),
        (True, None, r"label: expected a number, got True \(bool\)"),
        (float("nan"), None, "label: expected a finite number, got nan"),
        (float("inf"), None, "label: expected a finite number, got inf"),
        (1, ["low", "high"], r"column 'score': expected numbers, got classes \(low, high\)"),
    ],
)
def test_a_bad_label_is_refused_with_what_is_wrong(label, names, message):
    with pytest.raises(InputError, match=message):
        read(label, names=names)


def test_there_are_no_labels():
    assert label_names([read(1.0)], names=None) == []


def test_a_score_that_is_not_finite_is_refused_later_too():
    check_row(read(1.0), labels=[])
    with pytest.raises(InputError, match="label: expected a finite number, got nan"):
        check_row({"label": float("nan")}, labels=[])


def test_rows_survive_the_table():
    rows = [read(0.1), read("2")]
    assert pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist() == rows
