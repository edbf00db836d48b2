"""Confusion by hand, and the worst mistakes first."""

import json

import pytest

from tests.tinybert.tasks.samples import MAKERS, sample
from tinybert.evaluation.errors import CHARACTERS, SHOWN, worst
from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.ner import metrics as ner
from tinybert.tasks.qa import metrics as qa
from tinybert.tasks.regression import metrics as regression


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
    case = sample(kind, 1)
    assert case.metrics.confusion(case.predictions, case.rows, labels=[]) == []
    assert case.metrics.confusion_labels([]) == []


def test_a_sure_mistake_is_worse_than_a_doubtful_one() -> None:
    rows = [{"label": "a"}] * 3
    sizes = classification.mistakes(["a", "b", "b"], rows, logits=[[4, 0], [0, 0.5], [0, 5]], labels=["a", "b"])
    assert sizes[0] == 0 < sizes[1] < 0.5 < 0.9 < sizes[2] < 1


def test_mistakes_of_the_other_kinds() -> None:
    tags = [{"tags": ["B-f", "O"]}]
    assert ner.mistakes([["O", "B-f"]], tags, logits=[], labels=[]) == [2]
    assert qa.mistakes(["red", ""], [{"answers": [{"text": "red"}]}] * 2, logits=[], labels=[]) == [0, 1]
    assert regression.mistakes([0.5], [{"label": 2.0}], logits=[], labels=[]) == [1.5]


def test_the_worst_come_first_and_right_rows_not_at_all() -> None:
    case = sample("classification", 1)
    mistakes = [0.0] * len(case.rows)
    mistakes[3], mistakes[7], mistakes[9] = 0.2, 0.9, 0.2
    errors = worst(mistakes, case.rows, {"student": case.predictions}, classification)
    assert [error["text"] for error in errors] == ["row 7", "row 3", "row 9"]
    assert errors[0]["predictions"] == {"student": case.predictions[7]}
    assert errors[0]["gold"] == case.rows[7]["label"]
    assert len(worst([1.0] * 40, case.rows, {}, classification)) == SHOWN


@pytest.mark.parametrize("kind", MAKERS)
def test_errors_of_every_kind_are_texts_of_every_model(kind: str) -> None:
    case = sample(kind, seed=4)
    predictions = {"teacher": case.predictions[::-1], "student": case.predictions}
    mistakes = [float(number % 3) for number in range(len(case.rows))]
    errors = worst(mistakes, case.rows, predictions, case.metrics)
    assert json.loads(json.dumps(errors)) == errors
    assert {error["mistake"] for error in errors} == {2.0}
    assert all(error["text"] and set(error["predictions"]) == set(predictions) for error in errors)


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
