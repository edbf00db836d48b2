"""Confusion by hand, and the worst mistakes first."""

import pytest

from stages.analysis import classification, ner, qa, regression
from stages.analysis.errors import CHARACTERS, SHOWN, worst
from tests.analysis.samples import sample


def test_confusion_counts_rows_by_gold_then_predicted_label() -> None:
    rows = [{"label": label} for label in "aab"]
    assert classification.confusion(["a", "b", "b"], rows, labels=["a", "b"]) == [[1, 1], [0, 1]]


def test_confusion_of_entities_counts_words_by_type() -> None:
    labels = ["O", "B-f", "B-g", "I-f", "I-g"]
    rows = [{"tags": ["O", "B-f", "I-f", "B-g"]}]
    assert ner.confusion_labels(labels) == ["O", "f", "g"]
    assert ner.confusion([["B-g", "I-f", "B-f", "O"]], rows, labels=labels) == [[0, 0, 1], [0, 2, 0], [1, 0, 0]]


@pytest.mark.parametrize("kind", ["qa", "regression"])
def test_what_has_no_classes_has_no_confusion(kind: str) -> None:
    given = sample(kind, 1)
    assert given.analysis.confusion(given.predictions, given.rows, labels=None) == []
    assert given.analysis.confusion_labels(None) == []


def test_a_sure_mistake_is_worse_than_a_doubtful_one() -> None:
    rows = [{"label": "a"}] * 3
    found = classification.mistakes(["a", "b", "b"], rows, logits=[[4, 0], [0, 0.5], [0, 5]], labels=["a", "b"])
    assert found[0] == 0 < found[1] < 0.5 < 0.9 < found[2] < 1


def test_mistakes_of_the_other_kinds() -> None:
    tags = [{"tags": ["B-f", "O"]}]
    assert ner.mistakes([["O", "B-f"]], tags, logits=[], labels=[]) == [2]
    assert qa.mistakes(["red", ""], [{"answers": [{"text": "red"}]}] * 2, logits=[], labels=None) == [0, 1]
    assert regression.mistakes([0.5], [{"label": 2.0}], logits=[], labels=None) == [1.5]


def test_the_worst_come_first_and_right_rows_not_at_all() -> None:
    given = sample("classification", 1)
    mistakes = [0.0] * len(given.rows)
    mistakes[3], mistakes[7], mistakes[9] = 0.2, 0.9, 0.2
    found = worst(mistakes, given.rows, {"student": given.predictions}, classification)
    assert [error["text"] for error in found] == ["row 7", "row 3", "row 9"]
    assert found[0]["predictions"] == {"student": given.predictions[7]}
    assert found[0]["gold"] == given.rows[7]["label"]
    assert len(worst([1.0] * 40, given.rows, {}, classification)) == SHOWN


def test_a_long_text_is_cut_and_a_pair_has_two_lines() -> None:
    rows = [{"text": "a" * 5000, "text_pair": "b", "label": 1.0}, {"text": "a", "text_pair": "b", "label": 0.25}]
    long, pair = worst([2.0, 1.0], rows, {"student": [3.0, 0.123456]}, regression)
    assert len(long["text"]) == CHARACTERS
    assert (pair["text"], pair["gold"], pair["predictions"]) == ("a\nb", "0.25", {"student": "0.1235"})


def test_texts_of_entities_and_answers() -> None:
    row = {"words": ["see", "numpy", "sum"], "tags": ["O", "B-module", "B-function"]}
    assert (ner.text(row), ner.gold(row)) == ("see numpy sum", "numpy (module), sum (function)")
    answer = {"question": "what?", "context": "this", "answers": [{"text": "x"}, {"text": "x"}, {"text": "y"}]}
    assert (qa.text(answer), qa.gold(answer)) == ("what?\nthis", "x / y")
