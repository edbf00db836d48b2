import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.protocol import scores


def rows(labels: str) -> list[dict]:
    return [{"label": label} for label in labels]


def scored(predictions: str, gold: str, *, labels: str) -> dict[str, float]:
    return scores(classification, list(predictions), rows(gold), labels=list(labels))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
@example([("a", "b"), ("b", "b"), ("b", "a"), ("a", "a")])
def test_scores_are_those_of_scikit_learn(pairs):
    predictions, gold = ("".join(side) for side in zip(*pairs, strict=True))
    labels = "abc" if "c" in predictions + gold else "ab"
    expected = {
        "accuracy": accuracy_score([*gold], [*predictions]),
        "f1_macro": f1_score([*gold], [*predictions], average="macro"),
        # Of a single label in all, scikit-learn has 0 with a warning.
        "matthews": matthews_corrcoef([*gold], [*predictions]) if len({*gold, *predictions}) > 1 else 0.0,
    }
    if labels == "ab":
        second = {"labels": ["b"], "average": "macro", "zero_division": 0.0}
        expected["f1"] = f1_score([*gold], [*predictions], **second)
    assert scored(predictions, gold, labels=labels) == pytest.approx(expected)


def test_two_labels_have_the_hand_worked_scores_of_the_second():
    # b: 2 true positives, 1 false positive, 1 false negative; a: 1 true positive.
    two = scored("bbbaa", "bbaab", labels="ab")
    assert tuple(two) == classification.NAMES
    assert two == pytest.approx(
        {
            "accuracy": 3 / 5,
            "f1_macro": (2 / 3 + 1 / 2) / 2,
            "f1": 2 / 3,
            "matthews": (2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2),
        }
    )


def test_three_labels_have_no_f1_of_one_of_them():
    assert scored("abc", "abc", labels="abc") == {"accuracy": 1.0, "f1_macro": 1.0, "matthews": 1.0}


def test_a_label_never_predicted_counts_zero_in_the_macro_mean():
    assert scored("aaa", "aab", labels="ab")["f1_macro"] == pytest.approx(0.8 / 2)


def test_the_order_of_the_labels_says_which_is_positive():
    assert scored("bbbaa", "bbaab", labels="ba")["f1"] == pytest.approx(1 / 2)


def test_a_split_with_one_of_two_labels_still_has_their_f1():
    assert scored("aab", "aaa", labels="ab")["f1"] == 0.0


@pytest.mark.parametrize(("predictions", "gold"), [("aaa", "aab"), ("aab", "aaa"), ("aaa", "aaa"), ("bbb", "aaa")])
def test_matthews_of_a_constant_is_zero(predictions, gold):
    assert scored(predictions, gold, labels="ab")["matthews"] == 0.0


def test_baseline_is_the_majority_of_train_and_of_equals_the_first():
    assert classification.baseline(rows("abb"), rows("xy")) == ["b", "b"]
    assert classification.baseline(rows("cabbac"), rows("x")) == ["a"]
