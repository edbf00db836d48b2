import pyarrow as pa
import pytest

from stages.pipeline.errors import InputError
from stages.tasks.ner_rows import SCHEMA, Columns, check_row, column_names, label_names, read_row

COLUMNS = Columns()
NAMES = ["O", "B-PER", "I-PER"]


def read(words: object, tags: object, *, names: list[str] | None = None) -> dict:
    return read_row({"tokens": words, "ner_tags": tags}, columns=COLUMNS, names=names)


def test_column_names_are_those_that_are_read():
    assert column_names(COLUMNS) == ["tokens", "ner_tags"]


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
        (["a", "b", "c"], ["O"] * 4, None, "3 words but 4 tags; wanted one tag per word"),
        ([], [], None, "the row has no words"),
        (["a", None], ["O", "O"], None, r"word 2 is missing \(null\); wanted a text"),
        (None, ["O"], None, "words are None; wanted a list, or a text parted at spaces"),
        (["a"], 3, None, "tags are 3; wanted a list"),
        (["a"], ["PER"], None, "tag 'PER' is not BIO; wanted O, B-type or I-type"),
        (["a"], ["S-PER"], None, "tag 'S-PER' is not BIO"),
        (["a"], ["B-"], None, "tag 'B-' is not BIO"),
        (["a"], [1], None, "tag 1 is not BIO"),
        (["a"], [-1], NAMES, "a tag is -1: the word is unlabelled"),
        (["a"], [3], NAMES, "a tag is 3; wanted an index from 0 to 2"),
        (["a"], [0], ["_"], "tag '_' is not BIO"),
    ],
)
def test_a_bad_row_is_refused_with_what_is_wrong(words, tags, names, message):
    with pytest.raises(InputError, match=message):
        read(words, tags, names=names)


def test_label_names_are_O_and_both_tags_of_every_type_sorted():
    rows = [read(["a", "b"], ["B-x", "O"]), read(["a"], ["I-a-b"])]
    assert label_names(rows, names=None) == ["O", "B-a-b", "B-x", "I-a-b", "I-x"]


def test_training_rows_without_an_entity_are_refused():
    with pytest.raises(InputError, match="every tag of the training rows is O"):
        label_names([read(["a"], ["O"])], names=None)


def test_a_tag_of_a_type_that_train_lacks_is_refused():
    check_row({"tags": ["O", "I-x"]}, labels=["O", "B-x", "I-x"])
    with pytest.raises(InputError, match="tag 'B-y' is of a type not in the training rows; wanted one of O, B-x, I-x"):
        check_row({"tags": ["O", "B-y"]}, labels=["O", "B-x", "I-x"])


def test_rows_survive_the_table():
    rows = [read(["a", "b"], ["B-x", "O"])]
    assert pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist() == rows
