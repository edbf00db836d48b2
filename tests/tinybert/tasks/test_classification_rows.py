import pyarrow as pa
import pytest
from pydantic import ValidationError

from tinybert.errors import InputError
from tinybert.tasks.classification.rows import (
    SCHEMA,
    Columns,
    check_row,
    column_names,
    label_column,
    label_names,
    read_row,
)

ONE = Columns(text="sentence")
TWO = Columns(text=("first", "second"), label="gold")


def test_column_names_are_those_that_are_read():
    assert column_names(ONE) == ["sentence", "label"]
    assert column_names(TWO) == ["first", "second", "gold"]
    assert label_column(TWO) == "gold"


def test_a_list_of_two_columns_is_a_pair_and_other_keys_are_refused():
    assert Columns.model_validate({"text": ["first", "second"], "label": "gold"}) == TWO
    with pytest.raises(ValidationError):
        Columns.model_validate({"text": "sentence", "lable": "gold"})


@pytest.mark.parametrize(
    ("label", "names", "read"),
    [
        (1, ["neg", "pos"], "pos"),
        (0, ["neg", "pos"], "neg"),
        (1, None, "1"),
        (-1, None, "-1"),
        (True, None, "True"),
        ("pos", None, "pos"),
    ],
)
def test_a_label_becomes_its_name_or_its_string(label, names, read):
    row = read_row({"sentence": "hi ", "label": label}, columns=ONE, names=names)
    assert row == {"text": "hi ", "text_pair": None, "label": read}


def test_a_pair_keeps_an_empty_second_text():
    row = read_row({"first": "hi", "second": "", "gold": "x"}, columns=TWO, names=None)
    assert row == {"text": "hi", "text_pair": "", "label": "x"}


@pytest.mark.parametrize(
    ("changed", "names", "message"),
    [
        ({"sentence": " \n"}, None, r"text \(column 'sentence'\): expected at least one visible character, got ' \\n'"),
        ({"sentence": None}, None, r"text \(column 'sentence'\): expected a string, got null"),
        ({"sentence": 5}, None, r"text \(column 'sentence'\): expected a string, got 5 \(int\)"),
        ({"label": None}, None, "label: expected a class, got null"),
        ({"label": " "}, None, r"label: expected a class, got ' ' \(str\)"),
        ({"label": float("nan")}, None, r"label: expected a class, got nan \(float\)"),
        ({"label": 1.0}, None, r"label: expected an integer, a boolean or a string, got 1.0 \(float\)"),
        ({"label": -1}, ["neg", "pos"], "label: expected one of neg, pos, got -1, which marks an unlabelled row"),
        ({"label": 2}, ["neg", "pos"], "label: expected an index from 0 to 1 into the class names, got 2"),
    ],
)
def test_a_bad_row_is_refused_with_what_is_wrong(changed, names, message):
    with pytest.raises(InputError, match=message):
        read_row({"sentence": "hi", "label": 1} | changed, columns=ONE, names=names)


def test_label_names_are_sorted_and_at_least_two():
    assert label_names([{"label": label} for label in ("b", "10", "a", "9", "b")], names=None) == ["10", "9", "a", "b"]
    with pytest.raises(InputError, match=r"expected two or more labels in the training rows, got \['b'\]"):
        label_names([{"label": "b"}], names=None)


def test_label_names_keep_the_order_of_the_sources_class_names():
    rows = [{"label": label} for label in ("equivalent", "not_equivalent", "equivalent")]
    assert label_names(rows, names=["not_equivalent", "unsure", "equivalent"]) == ["not_equivalent", "equivalent"]


def test_a_label_that_train_lacks_is_refused():
    check_row({"label": "b"}, labels=["a", "b"])
    with pytest.raises(InputError, match="label: expected one of the training rows' labels, a, b, got 'c'$"):
        check_row({"label": "c"}, labels=["a", "b"])


def test_rows_survive_the_table():
    rows = [
        read_row({"sentence": "hi", "label": 1}, columns=ONE, names=None),
        read_row({"first": "hi", "second": "ho", "gold": "x"}, columns=TWO, names=None),
    ]
    assert pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist() == rows
