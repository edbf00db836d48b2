"""Predictions and scores on the test split, with intervals: teacher, student, its int8 file and a trivial baseline.

In: models/tasks/T/{teacher,students/S,onnx/S}, data/tasks/T.
Out: reports/tasks/T/students/S/{metrics.json,findings.json,predictions.parquet,evaluate_machine.json}.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from stages.parameters.section import Section
from stages.parameters.sections import Compute
from stages.parameters.tasks import Scored
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_file
from tinybert.evaluation.comparison import compare, worst
from tinybert.export.runtime import INT8_FILE, OnnxModel
from tinybert.files import write_json
from tinybert.finetuning.predict import Scorer
from tinybert.tasks.protocol import TaskMetrics, scores_from
from tinybert.tasks.tables import read_rows
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import log

MODELS = ("teacher", "student", "student_int8")
"""The first is what the others are compared with, the last is the int8 ONNX file."""
ERRORS_OF = "student"
"""The model whose worst errors are kept as texts."""


class Parameters(Section):
    compute: Compute
    task: Scored


def main(p: Parameters, run: Run) -> None:
    task, data, models = p.task, Path("data/tasks") / run.task, Path("models/tasks") / run.task
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    student = models / "students" / run.student
    scorer = Scorer(task.kind, data=data, checkpoint=student, encoding=task.encoding, decoding=task.decoding,
                    accelerator=accelerator)  # fmt: skip
    test, labels = scorer.read("test"), scorer.labels
    predictions, logits = {"baseline": scorer.metrics.baseline(read_rows(data, "train"), test.rows)}, {}
    places = {"teacher": models / "teacher", "student": student, "student_int8": models / "onnx" / run.student}
    for name in MODELS:
        model = _load(places[name], scorer, int8=name == "student_int8", device=accelerator.device)
        logits[name] = scorer.logits(model, test.features)
        predictions[name] = scorer.decode(logits[name], test)
    measured = measure(predictions, test.rows, metrics=scorer.metrics, metric=task.metric, labels=labels)
    hub = {"head": scorer.task.HEAD.__name__, "pipeline_tag": scorer.metrics.PIPELINE_TAG}
    mistakes = scorer.metrics.mistakes(predictions[ERRORS_OF], test.rows, logits=logits[ERRORS_OF], labels=labels)
    documents = {
        "metrics.json": measured | {"hub": hub},
        "findings.json": find(predictions, test.rows, mistakes=mistakes, metrics=scorer.metrics, labels=labels),
        "evaluate_machine.json": describe(accelerator),
    }
    _write(Path("reports/tasks") / run.task / "students" / run.student, documents, predictions)
    for name, compared in measured["compared"].items():
        log(f"{run.task}: {task.metric} of {name} {compared['score']:.4f}, 95 % interval {compared['interval']}")


def _load(place: Path, scorer: Scorer, *, int8: bool, device: torch.device) -> Any:
    if int8:
        return OnnxModel(place / INT8_FILE, threads=torch.get_num_threads())
    model: Any = scorer.task.build(place, labels=scorer.labels, seed=0)
    return model.to(device)


def _write(folder: Path, documents: dict[str, Any], predictions: dict[str, list]) -> None:
    for name, content in documents.items():
        write_json(folder / name, content)
    with atomic_file(folder / "predictions.parquet") as table:
        pq.write_table(pa.table(predictions), table, compression="zstd")


def measure(
    predictions: dict[str, list], rows: list[dict], *, metrics: TaskMetrics, metric: str, labels: list[str]
) -> dict[str, Any]:
    """Every score of every model, and `metric` with intervals, beside that of the first of MODELS."""
    statistics = {name: metrics.row_statistics(made, rows, labels=labels) for name, made in predictions.items()}
    all_scores = {name: scores_from(metrics, statistics_N, labels=labels) for name, statistics_N in statistics.items()}
    return {
        "compared": compare(metrics, statistics, metric=metric, labels=labels, reference=MODELS[0]),
        "rows": len(rows),
        "scores": {name: {key: round(value, 5) for key, value in row.items()} for name, row in all_scores.items()},
    }


def find(
    predictions: dict[str, list], rows: list[dict], *, mistakes: list[float], metrics: TaskMetrics,
    labels: list[str],
) -> dict[str, Any]:  # fmt: skip
    """What to look at: confusion matrices, and the worst errors as texts."""
    confusion = {name: metrics.confusion(predictions[name], rows, labels=labels) for name in MODELS}
    return {
        "confusion": {"labels": metrics.confusion_labels(labels), "counts": confusion},
        "errors": worst(mistakes, rows, predictions, metrics),
        "errors_of": ERRORS_OF,
    }


if __name__ == "__main__":
    run(main, Parameters)
