import pyarrow as pa
import pytest

from tinybert.errors import InputError
from tinybert.tasks.ner.rows import SCHEMA, Columns, check_row, column_names, label_column, label_names, read_row

COLUMNS = Columns()
NAMES = ["O", "B-PER", "I-PER"]


def read(words: object, tags: object, *, names: list[str] | None = None) -> dict:
    return read_row({"tokens": words, "ner_tags": tags}, columns=COLUMNS, names=names)


def test_column_names_are_those_that_are_read():
    assert column_names(COLUMNS) == ["tokens", "ner_tags"]
    assert label_column(COLUMNS) == "ner_tags"


@pytest.mark.parametrize(
    ("words", "tags", "names"),
    [
        (["Ann", "Lee", "sat"], [1, 2, 0], NAMES),
        (["Ann", "Lee", "sat"], ["B-PER", "I-PER", "O"], None),
        ("Ann Lee  sat", "B-PER I-PER O", None),
    ],
)
def test_words_and_tags_are_read_from_lists_names_and_texts(words, tags, names):
    assert read(words, tags, names=names) == {"words": ["Ann", "Lee", "sat"], "tags": ["B-PER", "I-PER", "O"]}


def test_an_inside_tag_may_begin_an_entity():
    assert read(["Ann"], ["I-PER"])["tags"] == ["I-PER"]


@pytest.mark.parametrize(
    ("words", "tags", "names", "message"),
    [
        (["a", "b", "c"], ["O"] * 4, None, "expected one tag per word, got 3 words and 4 tags"),
        ([], [], None, "expected one or more words, got none"),
        (["a", None], ["O", "O"], None, "word 2: expected a string, got null"),
        (None, ["O"], None, "words: expected a list, or a string separated by white space, got null"),
        (["a"], 3, None, r"tags: expected a list, .*, got 3 \(int\)"),
        (["a"], ["PER"], None, "tag: expected BIO, which is O, B-type or I-type, got 'PER'"),
        (["a"], ["S-PER"], None, "expected BIO, .*, got 'S-PER'"),
        (["a"], ["B-"], None, "expected BIO, .*, got 'B-'"),
        (["a"], [1], None, "expected BIO, .*, got 1"),
        (["a"], [-1], NAMES, "tag: expected one for every word, got -1, which marks an unlabelled word"),
        (["a"], [3], NAMES, "tag: expected an index from 0 to 2 into the class names, got 3"),
        (["a"], [0], ["_"], "expected BIO, .*, got '_'"),
    ],
)
def test_a_bad_row_is_refused_with_what_is_wrong(words, tags, names, message):
    with pytest.raises(InputError, match=message):
        read(words, tags, names=names)


def test_label_names_are_O_and_both_tags_of_every_type_sorted():
    rows = [read(["a", "b"], ["B-x", "O"]), read(["a"], ["I-a-b"])]
    assert label_names(rows, names=None) == ["O", "B-a-b", "B-x", "I-a-b", "I-x"]


def test_training_rows_without_an_entity_are_refused():
    with pytest.raises(InputError, match="expected entities in the training rows, got the tag O for every word"):
        label_names([read(["a"], ["O"])], names=None)


def test_a_tag_of_a_type_that_train_lacks_is_refused():
    check_row({"tags": ["O", "I-x"]}, labels=["O", "B-x", "I-x"])
    with pytest.raises(InputError, match="tag: expected a type of the training rows, O, B-x, I-x, got 'B-y'"):
        check_row({"tags": ["O", "B-y"]}, labels=["O", "B-x", "I-x"])


def test_rows_survive_the_table():
    rows = [read(["a", "b"], ["B-x", "O"])]
    assert pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist() == rows
