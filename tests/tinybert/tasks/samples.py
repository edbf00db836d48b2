"""Predictions of each kind of task, right and wrong, with equal ones among them."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.multilabel import metrics as multilabel
from tinybert.tasks.ner import metrics as ner
from tinybert.tasks.protocol import TaskMetrics
from tinybert.tasks.qa import metrics as qa
from tinybert.tasks.regression import metrics as regression

ROWS = 40


@dataclass(frozen=True)
class Sample:
    metrics: TaskMetrics
    predictions: list
    rows: list[dict]
    labels: list[str]


def sample(case: str, seed: int) -> Sample:
    return MAKERS[case](random.Random(seed))


def _classes(chance: random.Random, labels: list[str]) -> Sample:
    rows = [{"text": f"row {n}", "text_pair": None, "label": chance.choice(labels)} for n in range(ROWS)]
    predictions = [row["label"] if chance.random() < 0.6 else chance.choice(labels) for row in rows]
    return Sample(classification, predictions, rows, labels)


def _label_sets(chance: random.Random) -> Sample:
    labels = ["a", "b", "c"]

    def some() -> list[str]:
        return [label for label in labels if chance.random() < 0.4]

    rows = [{"text": f"row {n}", "text_pair": None, "labels": some()} for n in range(ROWS)]
    predictions = [row["labels"] if chance.random() < 0.6 else some() for row in rows]
    return Sample(multilabel, predictions, rows, labels)


def _tags(chance: random.Random) -> Sample:
    labels = ["O", "B-a", "B-b", "I-a", "I-b"]
    rows = [{"words": list("wxyz"), "tags": [chance.choice(labels) for _ in range(4)]} for _ in range(ROWS)]
    predictions = [[tag if chance.random() < 0.7 else chance.choice(labels) for tag in row["tags"]] for row in rows]
    return Sample(ner, predictions, rows, labels)


def _answers(chance: random.Random) -> Sample:
    def words() -> str:
        return " ".join(chance.choice(["red", "blue", "green"]) for _ in range(chance.randrange(4)))

    def answers() -> list[dict]:
        return [{"text": words() or "red", "start": 0}][: chance.randrange(2)]

    rows = [{"question": "which?", "context": "c", "answers": answers()} for _ in range(ROWS)]
    return Sample(qa, [words() for _ in rows], rows, [])


def _numbers(chance: random.Random) -> Sample:
    rows = [{"text": f"row {n}", "text_pair": "more", "label": chance.randrange(6) / 5} for n in range(ROWS)]
    predictions = [round(row["label"] + chance.gauss(0, 0.4), 1) for row in rows]
    return Sample(regression, predictions, rows, [])


MAKERS: dict[str, Callable[[random.Random], Sample]] = {
    "classification": lambda chance: _classes(chance, ["a", "b", "c", "d"]),
    "classification of two": lambda chance: _classes(chance, ["no", "yes"]),
    "multilabel": _label_sets,
    "ner": _tags,
    "qa": _answers,
    "regression": _numbers,
}
"""By kind, which is the first word."""
METRICS = {
    "classification": ("accuracy", "f1_macro", "matthews"), "classification of two": ("f1",),
    "multilabel": multilabel.NAMES, "ner": ner.NAMES, "qa": qa.NAMES, "regression": (*regression.NAMES, "mse"),
}  # fmt: skip
CASES = [(case, metric) for case, metrics in METRICS.items() for metric in metrics]
"""Every kind with every metric."""
