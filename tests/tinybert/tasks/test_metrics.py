"""Scores by hand and by other libraries, of every kind; and the reduction under counts, by which they are resampled."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from seqeval import metrics as seqeval
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from tests.tinybert.tasks.samples import CASES, MAKERS, ROWS, Sample, sample
from tests.tinybert.tasks.test_kinds import KINDS
from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.ner import metrics as ner
from tinybert.tasks.protocol import scores
from tinybert.tasks.qa import metrics as qa
from tinybert.tasks.regression import metrics as regression

TAGS = ["O", "B-x", "I-x", "B-y-z", "I-y-z"]
SENTENCES = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=12)


def labelled(labels: Any) -> list[dict]:
    return [{"label": label} for label in labels]


def answered(*answers: str) -> dict:
    return {"answers": [{"text": text, "start": 0} for text in answers]}


def of_classes(predictions: str, gold: str, *, labels: str) -> dict[str, float]:
    return scores(classification, list(predictions), labelled(gold), labels=list(labels))


def of_numbers(predictions: list[float], gold: list[float]) -> dict[str, float]:
    return scores(regression, predictions, labelled(gold), labels=[])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
@example([*zip("bbaa", "abba", strict=True)])
@example([*zip("aaa", "aab", strict=True)])  # a label never predicted
@example([*zip("aab", "aaa", strict=True)])  # one of two labels in the split
@example([*zip("bbb", "aaa", strict=True)])
def test_scores_of_classes_are_those_of_scikit_learn(pairs):
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
    assert of_classes(predictions, gold, labels=labels) == pytest.approx(expected)


def test_two_labels_have_the_hand_worked_scores_of_the_second():
    # b: 2 true positives, 1 false positive, 1 false negative; a: 1 true positive.
    two = of_classes("bbbaa", "bbaab", labels="ab")
    assert tuple(two) == classification.NAMES
    f1 = {"f1_macro": (2 / 3 + 1 / 2) / 2, "f1": 2 / 3}
    assert two == pytest.approx({"accuracy": 3 / 5, "matthews": (2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2)} | f1)
    assert of_classes("bbbaa", "bbaab", labels="ba")["f1"] == pytest.approx(1 / 2), "the labels' order says which"


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
    assert ner.entities(sentence.split()) == entities


def test_scores_of_tags_are_the_hand_worked_ones():
    predicted, gold = (["B-x I-x O B-x", "B-x B-y"], ["B-x I-x O B-y", "B-x O"])
    rows = [{"tags": tags.split()} for tags in gold]
    four = scores(ner, [tags.split() for tags in predicted], rows, labels=[])
    assert tuple(four) == ner.NAMES
    assert four == pytest.approx({"f1": 4 / 7, "precision": 2 / 4, "recall": 2 / 3, "accuracy": 4 / 6})


@settings(max_examples=200, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=4))
@example([[("B-x", "B-x")], [("I-x", "B-x")]])  # no entity goes on into the next sentence
@example([[("O", "O")]])
@example([[("B-x", "O")]])
@example([[("O", "B-x")]])
def test_scores_of_tags_are_those_of_seqeval(sentences):
    predicted, gold = ([[pair[side] for pair in sentence] for sentence in sentences] for side in (0, 1))
    undefined: dict[str, Any] = {"zero_division": 0}  # seqeval takes a number, its annotation says str
    assert scores(ner, predicted, [{"tags": tags} for tags in gold], labels=[]) == pytest.approx(
        {
            "f1": seqeval.f1_score(gold, predicted, **undefined),
            "precision": seqeval.precision_score(gold, predicted, **undefined),
            "recall": seqeval.recall_score(gold, predicted, **undefined),
            "accuracy": seqeval.accuracy_score(gold, predicted),
        }
    )


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("The  Cat!", "cat"),
        ("an apple, a day", "apple day"),
        ("theatre banana", "theatre banana"),
        ("U.S.A.", "usa"),
        ("rock-a-bye", "rockabye"),
        ("a-b the\tc", "ab c"),
        ("\u201ca\u201d", "\u201c \u201d"),
        ("The", ""),
    ],
)
def test_normalize_is_lower_case_without_punctuation_articles_and_surplus_space(text, normalized):
    assert qa.normalize(text) == normalized


ANSWERS = [
    ("the Cat.", answered("cat"), 1, 1),
    ("big cat", answered("cat"), 0, 2 * (1 / 2) * 1 / (1 / 2 + 1)),
    ("cat cat", answered("cat sat cat"), 0, 4 / 5),
    ("dog", answered("cat"), 0, 0),
    ("big cat", answered("dog", "cat", "big red cat"), 0, 4 / 5),
    ("", answered(), 1, 1),
    ("cat", answered(), 0, 0),
    ("", answered("cat"), 0, 0),
    ("the", answered(), 1, 1),
    ("cat", answered("the", "cat"), 1, 1),
    ("", answered("the"), 1, 1),
]


@pytest.mark.parametrize("cases", [*([case] for case in ANSWERS), ANSWERS])
def test_scores_of_answers_are_means_of_the_hand_worked_ones(cases):
    predictions, gold, exact, f1 = zip(*cases, strict=True)
    two = scores(qa, list(predictions), list(gold), labels=[])
    assert tuple(two) == qa.NAMES
    assert two == pytest.approx({"f1": np.mean(f1), "exact_match": np.mean(exact)})


def test_scores_of_numbers_are_the_hand_worked_ones_and_those_of_scipy():
    # Deviations (-1, 0, 1) and (-2, 1, 1): covariance 3, variances 2 and 6. Ranks (1, 2, 3) and (1, 2.5, 2.5).
    three = of_numbers([1.0, 4.0, 4.0], [1.0, 2.0, 3.0])
    assert set(three) == {*regression.NAMES, "mse"}
    assert three == pytest.approx({"pearson": 3 / 12**0.5, "spearman": 1.5 / 3**0.5, "mse": 5 / 3})
    random = np.random.default_rng(3)
    gold, predictions = random.integers(0, 5, 50).tolist(), random.normal(size=50).tolist()
    correlations = of_numbers(predictions, gold)
    assert correlations["pearson"] == pytest.approx(pearsonr(gold, predictions)[0])
    assert correlations["spearman"] == pytest.approx(spearmanr(gold, predictions)[0])


@pytest.mark.parametrize(("predictions", "gold"), [([2.0, 2.0], [1.0, 3.0]), ([1.0, 3.0], [2.0, 2.0]), ([1.0], [2.0])])
def test_correlations_with_a_constant_are_zero(predictions, gold):
    assert of_numbers(predictions, gold) == {"pearson": 0.0, "spearman": 0.0, "mse": 1.0}


def test_baselines_predict_what_train_has_most_of():
    assert classification.baseline(labelled("abb"), labelled("xy")) == ["b", "b"]
    assert classification.baseline(labelled("cabbac"), labelled("x")) == ["a"], "of equals the first"
    train = [{"words": ["a", "b", "a", "b", "a"], "tags": ["O", "I-x", "B-x", "B-x", "B-x"]}]
    assert ner.baseline(train, [{"words": ["b", "c"]}, {"words": ["a"]}]) == [["B-x", "O"], ["B-x"]]
    contexts = [{"context": " One two. Three!"}, {"context": "v1.2 is out"}]
    assert qa.baseline([answered("x"), answered()], contexts) == ["One two.", "v1.2 is out"]
    assert qa.baseline([answered("x"), answered(), answered()], contexts) == ["", ""]
    assert regression.baseline(labelled([1.0, 2.0, 6.0]), labelled([0.0, 0.0])) == [3.0, 3.0]


def reduced(case: Sample, counts_BN: np.ndarray) -> dict[str, np.ndarray]:
    statistics = case.metrics.row_statistics(case.predictions, case.rows, labels=case.labels)
    return case.metrics.reduce(statistics, counts_BN.astype(float), labels=case.labels)


def score_of_repeated(case: Sample, metric: str, counts_N: np.ndarray) -> float:
    numbers = np.repeat(np.arange(ROWS), counts_N)
    predictions, rows = [case.predictions[n] for n in numbers], [case.rows[n] for n in numbers]
    return scores(case.metrics, predictions, rows, labels=case.labels)[metric]


@pytest.mark.parametrize(("kind", "metric"), CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_reduction_is_the_score_of_the_rows_repeated_as_often_as_they_count(kind: str, metric: str, seed: int):
    case = sample(kind, seed)
    counts_BN = np.random.default_rng(seed).multinomial(ROWS, [1 / ROWS] * ROWS, size=7)
    counts_BN[0] = 1
    counts_BN[1], counts_BN[1, 5] = 0, ROWS  # one row alone is drawn
    expected = [score_of_repeated(case, metric, counts_N) for counts_N in counts_BN]
    assert reduced(case, counts_BN)[metric] == pytest.approx(expected, abs=1e-9)
    assert len({expected[0], *expected[2:]}) > 1


def test_a_constant_correlates_with_nothing_under_any_counts():
    case = sample("regression", seed=1)
    case.predictions[:] = [0.1] * ROWS
    correlations = reduced(case, np.ones((2, ROWS)))
    assert [correlations[name].tolist() for name in case.metrics.NAMES] == [[0.0, 0.0]] * 2


def test_every_metric_of_every_kind_is_a_case_and_those_that_choose_an_epoch_are_among_them():
    defined = {(kind.split()[0], name) for kind in MAKERS for name in reduced(sample(kind, 1), np.ones((1, ROWS)))}
    assert {kind for kind, _ in defined} == set(KINDS)
    assert {(kind.split()[0], name) for kind, name in CASES} == defined
    assert {(kind.split()[0], name) for kind in MAKERS for name in sample(kind, 1).metrics.NAMES} <= defined
