"""A metric that is not defined for a task's labels is refused before anything is trained."""

import pytest

from stages.metrics import classification
from stages.pipeline.errors import InputError
from stages.training.scoring import Scorer

ROWS = [{"label": label} for label in "abca"]


def scorer(labels: list[str]) -> Scorer:
    return Scorer(None, classification, tokenizer=None, labels=labels, encoding={}, decoding={}, accelerator=None)


def test_f1_of_one_label_needs_two_labels():
    with pytest.raises(
        InputError, match="metric 'f1' is not defined for 3 labels; wanted is one of accuracy, f1_macro"
    ):
        scorer(["a", "b", "c"]).require("f1", ROWS)
    scorer(["a", "b"]).require("f1", ROWS[:2])


def test_the_macro_mean_is_defined_for_any_number_of_labels():
    scorer(["a", "b", "c"]).require("f1_macro", ROWS)
