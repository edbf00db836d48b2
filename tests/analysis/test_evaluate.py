"""What evaluate writes of predictions, for every kind of task."""

import json

import pytest

from stages.evaluate import ERRORS_OF, MODELS, find, measure
from tests.analysis.samples import CASES, sample


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_scores_intervals_and_findings_agree_with_one_another(kind: str, metric: str) -> None:
    given = sample(kind, seed=4)
    same = sample(kind, 4).predictions
    predictions = {
        "baseline": given.predictions[::-1],
        "teacher": given.predictions,
        "student": same,
        "exported": same,
    }
    found = measure(predictions, given.rows, metrics=given.metrics, analysis=given.analysis, metric=metric,
                    labels=given.labels)  # fmt: skip
    assert found["rows"] == len(given.rows)
    for who, one in found["compared"].items():
        low, high = one["interval"]
        assert one["score"] == found["scores"][who][metric]
        assert low <= one["score"] <= high
    assert found["compared"]["student"]["difference_interval"] == [0.0, 0.0]
    mistakes = [float(number % 3) for number in range(len(given.rows))]
    shown = find(predictions, given.rows, mistakes=mistakes, analysis=given.analysis, labels=given.labels)
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["errors_of"], set(shown["confusion"]["counts"])) == (ERRORS_OF, set(MODELS))
    assert {error["mistake"] for error in shown["errors"]} == {2.0}
    assert all(error["text"] and set(error["predictions"]) == set(predictions) for error in shown["errors"])
