"""The floor of classification, against the same model put together by hand."""

import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from tinybert.evaluation.bag_of_words import STRENGTHS, as_text, predict_labels

WORDS = {"a": "red blue green".split(), "b": "cat dog mouse".split(), "c": "red cat one".split()}


def rows(seed: int, count: int) -> list[dict]:
    chance = random.Random(seed)
    labels = [chance.choice("abc") for _ in range(count)]
    texts = [" ".join(chance.choice(WORDS[label] + ["the", "of"]) for _ in range(5)) for label in labels]
    pairs = [text if number % 2 else None for number, text in enumerate(reversed(texts))]
    return [
        dict(zip(("text", "text_pair", "label"), row, strict=True)) for row in zip(texts, pairs, labels, strict=True)
    ]


def test_it_is_tf_idf_of_words_and_pairs_of_words_with_logistic_regression() -> None:
    train, validation, test = rows(1, 60), rows(2, 40), rows(3, 30)
    predictions = predict_labels(train, {"validation": validation, "test": test})
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", sublinear_tf=True)
    texts, gold = [as_text(row) for row in train], [row["label"] for row in train]
    assert list(predictions) == list(STRENGTHS)
    for strength, by_split in predictions.items():
        model = LogisticRegression(C=strength, max_iter=5000).fit(vectorizer.fit_transform(texts), gold)
        for split, others in (("validation", validation), ("test", test)):
            expected = model.predict(vectorizer.transform([as_text(row) for row in others]))
            assert by_split[split] == expected.tolist()
    right = [label == row["label"] for label, row in zip(predictions[10.0]["test"], test, strict=True)]
    assert np.mean(right) > 0.6


def test_texts_of_a_pair_are_joined_by_a_token_that_no_pair_of_words_crosses() -> None:
    assert as_text({"text": "red cat", "text_pair": None}) == "red cat"
    joined = as_text({"text": "red cat", "text_pair": "one dog"})
    assert joined == "red cat [SEP] one dog"
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]").fit([joined]).get_feature_names_out()
    assert "red cat" in words and "cat one" not in words


@pytest.mark.parametrize("text", ["?", "\u200b", "a", "\u4f60\u597d"])
def test_every_text_that_is_not_white_has_a_word(text: str) -> None:
    train = [{"text": text, "text_pair": None, "label": label} for label in "ab"]
    assert {*predict_labels(train, {"test": train[:1]})[1.0]["test"]} <= {"a", "b"}


def test_the_number_of_threads_changes_nothing() -> None:
    train, test = rows(4, 50), rows(5, 50)
    with threadpool_limits(1):
        one = predict_labels(train, {"test": test})
    with threadpool_limits(2):
        assert predict_labels(train, {"test": test}) == one
