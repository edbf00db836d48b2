"""What stage evaluate composes of predictions: metrics.json and findings.json."""

from typing import Any, cast

import numpy as np
import pytest

from stages.evaluate import ERRORS_OF, MODELS, calibrate, evaluate, find, measure
from tests.tinybert.tasks.samples import CASES, ROWS, Sample, sample
from tinybert.evaluation.comparison import SHOWN
from tinybert.finetuning.predict import Encoded
from tinybert.tasks.classification import encoding as classification_encoding
from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.classification import model as classification_model
from tinybert.tasks.protocol import scores
from tinybert.tasks.regression import encoding as regression_encoding

PREDICTED = ("baseline", *MODELS)


def compose(case: str) -> tuple[Sample, dict[str, list]]:
    """Rows, and predictions of each model: those of other seeds are as good as chance."""
    return sample(case, 0), {name: sample(case, seed).predictions for seed, name in enumerate(PREDICTED)}


@pytest.mark.parametrize(("case", "metric"), dict(CASES).items())
def test_every_model_has_all_scores_and_its_metric_is_compared_with_the_teachers(case: str, metric: str) -> None:
    data, predictions = compose(case)
    measured = measure(predictions, data.rows, metrics=data.metrics, metric=metric, labels=data.labels)
    assert measured["rows"] == ROWS
    assert measured["scores"].keys() == measured["compared"].keys() == set(PREDICTED)
    for name, model_predictions in predictions.items():
        expected = scores(data.metrics, model_predictions, data.rows, labels=data.labels)
        assert measured["scores"][name] == {key: round(score, 5) for key, score in expected.items()}
        assert measured["compared"][name]["score"] == pytest.approx(expected[metric], abs=1e-5)
    others = {name for name, row in measured["compared"].items() if "difference" in row}
    assert others == set(PREDICTED) - {"teacher"}


@pytest.mark.parametrize("case", ["classification", "ner", "qa", "regression"])
def test_each_of_the_models_has_a_confusion_matrix_and_the_worst_errors_are_the_students(case: str) -> None:
    data, predictions = compose(case)
    mistakes = [float(row % 5) for row in range(ROWS)]
    findings = find(predictions, data.rows, mistakes=mistakes, metrics=data.metrics, labels=data.labels)
    assert findings["errors_of"] == ERRORS_OF == "student"
    classes, counts = findings["confusion"]["labels"], findings["confusion"]["counts"]
    assert classes == data.metrics.confusion_labels(data.labels) and tuple(counts) == MODELS
    for name, matrix in counts.items():
        assert matrix == data.metrics.confusion(predictions[name], data.rows, labels=data.labels)
        assert len(matrix) == len(classes) and all(len(row) == len(classes) for row in matrix)
    if case == "classification":
        assert all(sum(map(sum, matrix)) == ROWS for matrix in counts.values())
    worst = [row for row in range(ROWS) if row % 5 == 4] + [row for row in range(ROWS) if row % 5 == 3]
    expected = [data.metrics.text(data.rows[row]) for row in worst[:SHOWN]]
    assert [error["text"] for error in findings["errors"]] == expected
    assert all(tuple(error["predictions"]) == PREDICTED for error in findings["errors"])


LABELS = ["no", "yes"]


class Stub:
    """What `evaluate` asks of a Scorer, for classification; a feature is its label."""

    task, coding = classification_model, classification_encoding
    metrics, labels = classification, LABELS

    def decode(self, logits: list[np.ndarray], data: Encoded) -> list[str]:
        return classification_encoding.decode(logits, features=data.features, rows=data.rows, labels=LABELS)


def split(*gold: int) -> Encoded:
    rows = [{"text": f"row {n}", "text_pair": None, "label": LABELS[label]} for n, label in enumerate(gold)]
    return Encoded(rows, [{"row": n, "label": label} for n, label in enumerate(gold)])


def saying(*labels: int, logit: float = 2.0) -> list[np.ndarray]:
    return [np.array([logit * (label == 0), logit * (label == 1)], np.float32) for label in labels]


def test_validation_scores_are_of_validation_rows_and_test_scores_of_test_rows() -> None:
    splits = {"validation": split(0, 1, 1, 0), "test": split(1, 1, 0, 0, 1)}
    right = {"validation": (0, 1, 1, 0), "test": (1, 1, 0, 0, 1)}
    wrong = {"validation": (0, 1, 1, 1), "test": (1, 1, 1, 1, 1)}
    made = {"teacher": right, "student": wrong, "student_int8": {**wrong, "validation": (1, 0, 0, 1)}}
    logits = {part: {model: saying(*each[part]) for model, each in made.items()} for part in splits}
    documents, predictions = evaluate(logits, splits, scorer=cast(Any, Stub()), metric="accuracy")
    measured, findings = documents["metrics.json"], documents["findings.json"]
    expected = {"validation": (1.0, 0.75, 0.0), "scores": (1.0, 0.6, 0.6)}
    for table, scored in expected.items():
        assert [measured[table][model]["accuracy"] for model in MODELS] == [*scored]
    assert [measured["compared"][model]["score"] for model in MODELS] == [*expected["scores"]]
    assert (measured["rows"], predictions["student"]) == (5, ["yes"] * 5)
    assert findings["calibration"] == calibrate(logits, splits, coding=classification_encoding)
    assert findings["calibration"]["student"]["temperature"] == pytest.approx(2 / np.log(3), abs=1e-4)  # 3 of 4 right


def test_a_kind_without_classes_has_no_calibration() -> None:
    splits = {part: Encoded([], [{"row": 0, "label": 0.5}]) for part in ("validation", "test")}
    logits = {part: {"teacher": [np.array([0.25])]} for part in splits}
    assert calibrate(logits, splits, coding=regression_encoding) == {}
