"""Predictions of each kind of task, right and wrong, with equal ones among them."""

import random
from dataclasses import dataclass
from typing import Any

from stages.analysis import classification, ner, qa, regression
from stages.metrics import classification as classification_scores
from stages.metrics import ner as ner_scores
from stages.metrics import qa as qa_scores
from stages.metrics import regression as regression_scores

ROWS = 40


@dataclass(frozen=True)
class Sample:
    analysis: Any
    metrics: Any
    predictions: list
    rows: list[dict]
    labels: Any


def sample(kind: str, seed: int) -> Sample:
    return MAKERS[kind](random.Random(seed))


def _classes(chance: random.Random, labels: list[str]) -> Sample:
    rows = [{"text": f"row {n}", "text_pair": None, "label": chance.choice(labels)} for n in range(ROWS)]
    made = [row["label"] if chance.random() < 0.6 else chance.choice(labels) for row in rows]
    return Sample(classification, classification_scores, made, rows, labels)


def _tags(chance: random.Random) -> Sample:
    labels = ["O", "B-a", "B-b", "I-a", "I-b"]
    rows = [{"words": list("wxyz"), "tags": [chance.choice(labels) for _ in range(4)]} for _ in range(ROWS)]
    made = [[tag if chance.random() < 0.7 else chance.choice(labels) for tag in row["tags"]] for row in rows]
    return Sample(ner, ner_scores, made, rows, labels)


def _answers(chance: random.Random) -> Sample:
    def words() -> str:
        return " ".join(chance.choice(["red", "blue", "green"]) for _ in range(chance.randrange(4)))

    rows = [
        {
            "question": "which?",
            "context": "c",
            "answers": [{"text": words() or "red", "start": 0}][: chance.randrange(2)],
        }
        for _ in range(ROWS)
    ]
    return Sample(qa, qa_scores, [words() for _ in rows], rows, None)


def _numbers(chance: random.Random) -> Sample:
    rows = [{"text": f"row {n}", "text_pair": "more", "label": chance.randrange(6) / 5} for n in range(ROWS)]
    made = [round(row["label"] + chance.gauss(0, 0.4), 1) for row in rows]
    return Sample(regression, regression_scores, made, rows, None)


MAKERS = {
    "classification": lambda chance: _classes(chance, ["a", "b", "c", "d"]),
    "classification of two": lambda chance: _classes(chance, ["no", "yes"]),
    "ner": _tags,
    "qa": _answers,
    "regression": _numbers,
}
CASES = [
    *[("classification", metric) for metric in ("accuracy", "f1_macro", "matthews")],
    ("classification of two", "f1"),
    *[("ner", metric) for metric in ner_scores.NAMES],
    *[("qa", metric) for metric in qa_scores.NAMES],
    *[("regression", metric) for metric in regression_scores.NAMES],
]
"""Every kind with every metric that may choose an epoch."""
