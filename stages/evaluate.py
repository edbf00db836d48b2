"""Teacher, student and its int8 file on the test split, with intervals, and on validation, by which models are chosen.

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
from tinybert.evaluation.calibration import Classified, calibration
from tinybert.evaluation.comparison import compare, worst
from tinybert.export.runtime import INT8_FILE, OnnxModel
from tinybert.files import write_json
from tinybert.finetuning.predict import Encoded, Scorer
from tinybert.tasks.protocol import Logits, TaskEncoding, TaskMetrics, scores
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import log

MODELS = ("teacher", "student", "student_int8")
"""The first is what the others are compared with, the last is the int8 ONNX file, where export has accepted one."""
ERRORS_OF = "student"
"""The model whose worst errors are kept as texts."""
SPLITS = ("validation", "test")
ByModel = dict[str, Logits]
BySplit = dict[str, Encoded]


class Parameters(Section):
    compute: Compute
    task: Scored


def main(p: Parameters, run: Run) -> None:
    task, models = p.task, Path("models/tasks") / run.task
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    places = {"teacher": models / "teacher", "student": models / "students" / run.student,
              "student_int8": models / "onnx" / run.student}  # fmt: skip
    scorers = {name: Scorer(task.kind, data=Path("data/tasks") / run.task, checkpoint=places[name],
                            encoding=task.encoding, decoding=task.decoding, accelerator=accelerator)
               for name in MODELS[:2]}  # fmt: skip
    logits, encoded = _predict(places, scorers, accelerator.device)
    documents, predictions = evaluate(logits, encoded, scorer=scorers["student"], metric=task.metric)
    documents["evaluate_machine.json"] = describe(accelerator)
    _write(Path("reports/tasks") / run.task / "students" / run.student, documents, predictions)
    for name, compared in documents["metrics.json"]["compared"].items():
        log(f"{run.task}: {task.metric} of {name} {compared['score']:.4f}, 95 % interval {compared['interval']}")


def _predict(
    places: dict[str, Path], scorers: dict[str, Scorer], device: torch.device
) -> tuple[dict[str, ByModel], dict[str, BySplit]]:
    """Logits by split and model, and by model what it read: the int8 file what its student reads."""
    encoded = {name: {split: scorer.read(split) for split in SPLITS} for name, scorer in scorers.items()}
    logits: dict[str, ByModel] = {split: {} for split in SPLITS}
    for name in MODELS if (places["student_int8"] / INT8_FILE).exists() else MODELS[:-1]:
        read_as = name.removesuffix("_int8")
        model = _load(places[name], scorers[read_as], int8=name != read_as, device=device)
        encoded[name] = encoded[read_as]
        for split, data in encoded[name].items():
            logits[split][name] = scorers[read_as].logits(model, data.features)
    return logits, encoded


def evaluate(
    logits: dict[str, ByModel], encoded: dict[str, BySplit], *, scorer: Scorer, metric: str
) -> tuple[dict[str, Any], dict[str, list]]:
    """metrics.json and findings.json of logits by split and model, and the predictions for the test rows.

    `encoded` is by model: one with a vocabulary of its own reads other tokens than its teacher.
    """
    metrics, labels, splits = scorer.metrics, scorer.labels, encoded[ERRORS_OF]
    rows = splits["test"].rows
    validation, test = ({name: scorer.decode(each, encoded[name][split]) for name, each in logits[split].items()}
                        for split in SPLITS)  # fmt: skip
    measured = measure(test, rows, metrics=metrics, metric=metric, labels=labels)
    measured["validation"] = score(validation, splits["validation"].rows, metrics=metrics, labels=labels)
    measured["hub"] = {"head": scorer.task.HEAD.__name__, "pipeline_tag": metrics.PIPELINE_TAG}
    mistakes = metrics.mistakes(test[ERRORS_OF], rows, logits=logits["test"][ERRORS_OF], labels=labels)
    findings = find(test, rows, mistakes=mistakes, metrics=metrics, labels=labels)
    findings["calibration"] = calibrate(logits, encoded, coding=scorer.coding)
    return {"metrics.json": measured, "findings.json": findings}, test


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
    """On test: every score of every model, and `metric` with intervals, beside that of the first of MODELS."""
    statistics = {name: metrics.row_statistics(made, rows, labels=labels) for name, made in predictions.items()}
    return {
        "compared": compare(metrics, statistics, metric=metric, labels=labels, reference=MODELS[0]),
        "rows": len(rows),
        "scores": score(predictions, rows, metrics=metrics, labels=labels),
    }


def score(
    predictions: dict[str, list], rows: list[dict], *, metrics: TaskMetrics, labels: list[str]
) -> dict[str, dict[str, float]]:
    """Every score of every model."""
    return {
        name: {key: round(value, 5) for key, value in scores(metrics, each, rows, labels=labels).items()}
        for name, each in predictions.items()
    }


def calibrate(
    logits: dict[str, ByModel], encoded: dict[str, BySplit], *, coding: TaskEncoding
) -> dict[str, dict[str, float]]:
    """By model, see `calibration`; empty for a kind without classes."""
    calibrated: dict[str, dict[str, float]] = {}
    for name in logits["test"]:
        both = [coding.class_logits(logits[split][name], features=encoded[name][split].features) for split in SPLITS]
        classified = [Classified(*each) for each in both if each is not None]
        if classified:
            calibrated[name] = calibration(*classified)
    return calibrated


def find(
    predictions: dict[str, list], rows: list[dict], *, mistakes: list[float], metrics: TaskMetrics,
    labels: list[str],
) -> dict[str, Any]:  # fmt: skip
    """What to look at: confusion matrices, and the worst errors as texts."""
    confusion = {
        name: metrics.confusion(predictions[name], rows, labels=labels) for name in MODELS if name in predictions
    }
    return {
        "confusion": {"labels": metrics.confusion_labels(labels), "counts": confusion},
        "errors": worst(mistakes, rows, predictions, metrics),
        "errors_of": ERRORS_OF,
    }


if __name__ == "__main__":
    run(main, Parameters)
