import math

import pytest

from stages.metrics import classification


def rows(labels: str) -> list[dict]:
    return [{"label": label} for label in labels]


def test_two_labels_have_the_hand_worked_scores_of_the_second():
    # b: 2 true positives, 1 false positive, 1 false negative; a: 1 true positive.
    found = classification.scores(list("bbbaa"), rows("bbaab"), labels=["a", "b"])
    assert tuple(found) == classification.NAMES
    assert found == pytest.approx(
        {
            "accuracy": 3 / 5,
            "f1_macro": (2 / 3 + 1 / 2) / 2,
            "f1": 2 / 3,
            "matthews": (2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2),
        }
    )


def test_three_labels_have_no_f1_of_one_of_them():
    found = classification.scores(list("abc"), rows("abc"), labels=list("abc"))
    assert found == {"accuracy": 1.0, "f1_macro": 1.0, "matthews": 1.0}


def test_a_label_never_predicted_counts_zero_in_the_macro_mean():
    assert classification.scores(list("aaa"), rows("aab"), labels=["a", "b"])["f1_macro"] == pytest.approx(0.8 / 2)


def test_the_order_of_the_labels_says_which_is_positive():
    found = classification.scores(list("bbbaa"), rows("bbaab"), labels=["b", "a"])
    assert found["f1"] == pytest.approx(1 / 2)


def test_a_split_with_one_of_two_labels_still_has_their_f1():
    assert classification.scores(list("aab"), rows("aaa"), labels=["a", "b"])["f1"] == 0.0


@pytest.mark.parametrize(("predictions", "gold"), [("aaa", "aab"), ("aab", "aaa"), ("aaa", "aaa"), ("bbb", "aaa")])
def test_matthews_of_a_constant_is_zero(predictions, gold):
    assert classification.scores(list(predictions), rows(gold), labels=["a", "b"])["matthews"] == 0.0


def test_baseline_is_the_majority_of_train_and_of_equals_the_first():
    assert classification.baseline(rows("abb"), rows("xy")) == ["b", "b"]
    assert classification.baseline(rows("cabbac"), rows("x")) == ["a"]
