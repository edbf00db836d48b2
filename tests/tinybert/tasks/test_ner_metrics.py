from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

from tinybert.tasks.ner import metrics as ner
from tinybert.tasks.protocol import scores

TAGS = ["O", "B-x", "I-x", "B-y-z", "I-y-z"]
PAIRS = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=12)


def tags(sentence: str) -> list[str]:
    return sentence.split()


def rows(*sentences: str) -> list[dict]:
    return [{"tags": tags(sentence)} for sentence in sentences]


@pytest.mark.parametrize(
    ("sentence", "entities"),
    [
        ("O O", []),
        ("B-x I-x O", [("x", 0, 2)]),
        ("B-x B-x", [("x", 0, 1), ("x", 1, 2)]),
        ("I-x I-x O I-x", [("x", 0, 2), ("x", 3, 4)]),
        ("B-x I-y", [("x", 0, 1), ("y", 1, 2)]),
        ("I-x B-x I-x", [("x", 0, 1), ("x", 1, 3)]),
    ],
)
def test_entities_are_those_of_conlleval(sentence, entities):
    assert ner.entities(tags(sentence)) == entities


def test_scores_are_the_hand_worked_ones():
    gold = rows("B-x I-x O B-y", "B-x O")
    four = scores(ner, [tags("B-x I-x O B-x"), tags("B-x B-y")], gold, labels=[])
    assert tuple(four) == ner.NAMES
    assert four == pytest.approx({"f1": 4 / 7, "precision": 2 / 4, "recall": 2 / 3, "accuracy": 4 / 6})


def test_an_entity_does_not_go_on_into_the_next_sentence():
    assert scores(ner, [["B-x"], ["I-x"]], rows("B-x", "B-x"), labels=[])["f1"] == 1.0


@pytest.mark.parametrize(("predicted", "gold"), [("O", "O"), ("B-x", "O"), ("O", "B-x")])
def test_a_share_of_nothing_is_zero(predicted, gold):
    shares = scores(ner, [[predicted]], rows(gold), labels=[])
    assert (shares["f1"], shares["precision"], shares["recall"]) == (0.0, 0.0, 0.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=4))
def test_scores_are_those_of_seqeval_on_any_tags(sentences):
    predicted = [[tag for tag, _ in sentence] for sentence in sentences]
    gold = [[tag for _, tag in sentence] for sentence in sentences]
    undefined: dict[str, Any] = {"zero_division": 0}  # seqeval takes a number, its annotation says str
    assert scores(ner, predicted, [{"tags": tags} for tags in gold], labels=[]) == pytest.approx(
        {
            "f1": f1_score(gold, predicted, **undefined),
            "precision": precision_score(gold, predicted, **undefined),
            "recall": recall_score(gold, predicted, **undefined),
            "accuracy": accuracy_score(gold, predicted),
        }
    )


def test_baseline_is_each_words_most_frequent_tag_and_O_for_the_unseen():
    train = [{"words": ["a", "b", "a", "b", "a"], "tags": ["O", "I-x", "B-x", "B-x", "B-x"]}]
    assert ner.baseline(train, [{"words": ["b", "c"]}, {"words": ["a"]}]) == [["B-x", "O"], ["B-x"]]
