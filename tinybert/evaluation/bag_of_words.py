"""What a bag of words reaches: TF-IDF with logistic regression, the floor under every score of a classifier.

A model that does not beat it has learnt nothing of the order of words beyond pairs. Nothing here is random, and one
thread computes, so that the number of cores changes no bit. N rows, V words and pairs of words.
"""

from collections.abc import Mapping, Sequence

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from tinybert.tasks.protocol import Row

STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
"""C of the logistic regression, the inverse of its penalty: from simple to free."""
WORD = r"\w+|[^\w\s]"
"""A word, or any other character but white space, so that every text has one."""
SEPARATOR = " [SEP] "
"""Between the texts of a pair: a token of its own, which pairs of words cannot cross."""
ITERATIONS = 5000
"""At most; the solver stops at its tolerance long before."""


def predict_labels(train: Sequence[Row], others: Mapping[str, Sequence[Row]]) -> dict[float, dict[str, list[str]]]:
    """By strength, labels for the rows of each of `others`, from a model that is fitted to the rows of `train`.

    Rows are those of classification: `text`, `text_pair` (None for a single text) and `label`, of which `train` has two
    or more.
    """
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=WORD, sublinear_tf=True)
    train_NV, labels = vectorizer.fit_transform(map(as_text, train)), [row["label"] for row in train]
    others_NV = {name: vectorizer.transform(map(as_text, rows)) for name, rows in others.items()}
    predictions: dict[float, dict[str, list[str]]] = {}
    with threadpool_limits(1):
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength, max_iter=ITERATIONS).fit(train_NV, labels)
            predictions[strength] = {name: model.predict(rows_NV).tolist() for name, rows_NV in others_NV.items()}
    return predictions


def as_text(row: Row) -> str:
    """The text, or both texts of a pair."""
    return row["text"] if row["text_pair"] is None else f"{row['text']}{SEPARATOR}{row['text_pair']}"
