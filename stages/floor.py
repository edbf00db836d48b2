"""What takes no BERT: a trivial prediction, and for classes a bag of words, scored on validation and test.

In: data/tasks/T. Out: reports/tasks/T/floor.json.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from stages.parameters.section import Section, TaskKind
from stages.parameters.tasks import Data
from stages.pipeline.stage import Run, run
from tinybert.evaluation.bag_of_words import predict_labels
from tinybert.evaluation.comparison import interval, resample
from tinybert.files import write_json
from tinybert.tasks.protocol import TaskMetrics, scores_from
from tinybert.tasks.tables import read_labels, read_rows
from tinybert.training.progress import log

SPLITS = ("validation", "test")
BAG_OF_WORDS = ("classification",)
"""Kinds whose rows are a text, or a pair of texts, with one label."""


class Task(Section):
    kind: TaskKind
    data: Data
    """What data/tasks/T was made of; this stage reads the result alone."""


class Parameters(Section):
    task: Task


class Candidate(NamedTuple):
    """Predictions of one floor for the rows of each of SPLITS."""

    settings: dict[str, float]
    predictions: dict[str, list]


def main(p: Parameters, run: Run) -> None:
    metrics: TaskMetrics = import_module(f"tinybert.tasks.{p.task.kind}.metrics")  # pyright: ignore[reportAssignmentType]
    data = Path("data/tasks") / run.key
    train, splits, labels = read_rows(data, "train"), {s: read_rows(data, s) for s in SPLITS}, read_labels(data)
    floors = {"baseline": [Candidate({}, {s: metrics.baseline(train, rows) for s, rows in splits.items()})]}
    if p.task.kind in BAG_OF_WORDS:
        floors["tfidf"] = [Candidate({"C": c}, predicted) for c, predicted in predict_labels(train, splits).items()]
    models = {name: best(each, splits, metrics=metrics, labels=labels) for name, each in floors.items()}
    write_json(Path("reports/tasks") / run.key / "floor.json", {"models": models})
    for name, by_metric in models.items():
        log(f"{run.key}: {name}: " + ", ".join(f"{metric} {row['score']:.4f}" for metric, row in by_metric.items()))


def best(
    candidates: list[Candidate], splits: dict[str, list[dict]], *, metrics: TaskMetrics, labels: list[str]
) -> dict[str, dict[str, Any]]:
    """By metric, of the candidate that is best in it on validation, the first of equal ones: its scores and settings.

    Each metric has its own choice, so that whichever of them heads a task stands over a floor that was meant for it.
    `score`, with its interval, is that of test.
    """
    statistics = [
        {s: metrics.row_statistics(each.predictions[s], rows, labels=labels) for s, rows in splits.items()}
        for each in candidates
    ]
    scores = [{s: scores_from(metrics, rows_N, labels=labels) for s, rows_N in of.items()} for of in statistics]
    chosen: dict[str, dict[str, Any]] = {}
    for metric in scores[0]["test"]:
        number = max(range(len(candidates)), key=lambda n: scores[n]["validation"][metric])
        tests = resample(metrics, {"model": statistics[number]["test"]}, metric=metric, labels=labels)
        score, validation = (round(scores[number][s][metric], 5) for s in ("test", "validation"))
        chosen[metric] = {"score": score, "interval": interval(tests["model"]), "validation": validation}
        chosen[metric] |= candidates[number].settings
    return chosen


if __name__ == "__main__":
    run(main, Parameters)
