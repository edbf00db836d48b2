"""What stage evaluate composes of predictions: metrics.json and findings.json."""

import pytest

from stages.evaluate import ERRORS_OF, MODELS, find, measure
from tests.tinybert.tasks.samples import CASES, ROWS, Sample, sample
from tinybert.evaluation.comparison import SHOWN
from tinybert.tasks.protocol import scores

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
