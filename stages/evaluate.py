"""Predictions and scores on the test split, with intervals: teacher, student, its int8 file and a trivial baseline.

In: models/tasks/T/{teacher,student,onnx}, data/tasks/T.
Out: reports/tasks/T/{metrics.json,findings.json,predictions.parquet,evaluate_machine.json}.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from stages.analysis.comparison import compare
from stages.analysis.errors import worst
from stages.parameters.compute import Compute
from stages.parameters.section import Section
from stages.parameters.task import Scored
from stages.pipeline.outputs import whole
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_json
from stages.runtime.files import SMALL
from stages.runtime.onnx_model import OnnxModel
from stages.tasks.tables import read_rows
from stages.text.tokenizer import load_tokenizer
from stages.training.machine import describe, set_up
from stages.training.scoring import Scorer

MODELS = ("teacher", "student", "exported")
"""Who is scored: the first is what others are compared with, the last is the int8 ONNX file."""
ERRORS_OF = "student"
"""Whose worst errors are kept as texts."""


class Parameters(Section):
    compute: Compute
    task: Scored


def main(p: Parameters, run: Run) -> None:
    task, data, models = p.task, Path("data/tasks") / run.key, Path("models/tasks") / run.key
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    analysis = import_module(f"stages.analysis.{task.kind}")
    scorer = Scorer.of(task, data=data, tokenizer=load_tokenizer(models / "student"), accelerator=accelerator)
    kind, metrics, labels, test = scorer.kind, scorer.metrics, scorer.labels, scorer.read(data, "test")
    predictions, logits = {"baseline": metrics.baseline(read_rows(data, "train"), test.rows)}, {}
    for who in MODELS:
        logits[who] = scorer.logits(load(who, models, kind, labels=labels, device=accelerator.device), test.features)
        predictions[who] = scorer.decode(logits[who], test)
    found = measure(predictions, test.rows, metrics=metrics, analysis=analysis, metric=task.metric, labels=labels)
    hub = {"head": kind.HEAD.__name__, "pipeline_tag": analysis.PIPELINE_TAG}
    mistakes = analysis.mistakes(predictions[ERRORS_OF], test.rows, logits=logits[ERRORS_OF], labels=labels)
    documents = {
        "metrics.json": found | {"hub": hub},
        "findings.json": find(predictions, test.rows, mistakes=mistakes, analysis=analysis, labels=labels),
        "evaluate_machine.json": describe(accelerator),
    }
    write(Path("reports/tasks") / run.key, documents, predictions)
    for who, one in found["compared"].items():
        say(f"{run.key}: {task.metric} of {who} {one['score']:.4f}, 95 % within {one['interval']}")


def load(who: str, models: Path, kind: Any, *, labels: list[str] | None, device: torch.device) -> Any:
    if who == "exported":
        return OnnxModel(models / "onnx" / SMALL, threads=torch.get_num_threads())
    return kind.build(models / who, labels=labels, seed=0).to(device)


def write(folder: Path, documents: dict[str, Any], predictions: dict[str, list]) -> None:
    for name, content in documents.items():
        with whole(folder / name) as file:
            write_json(file, content)
    with whole(folder / "predictions.parquet") as table:
        pq.write_table(pa.table(predictions), table, compression="zstd")


def measure(
    predictions: dict[str, list], rows: list[dict], *, metrics: Any, analysis: Any, metric: str, labels: Any
) -> dict[str, Any]:
    """Every score of everyone, and `metric` with intervals, beside that of the first of MODELS."""
    scores = {who: _rounded(metrics.scores(made, rows, labels=labels)) for who, made in predictions.items()}
    weighted = {who: analysis.weighted(made, rows, metric=metric, labels=labels) for who, made in predictions.items()}
    heads = {who: found[metric] for who, found in scores.items()}
    compared = compare(heads, weighted, num_rows=len(rows), reference=MODELS[0])
    return {"compared": compared, "rows": len(rows), "scores": scores}


def find(
    predictions: dict[str, list], rows: list[dict], *, mistakes: list[float], analysis: Any, labels: Any
) -> dict[str, Any]:
    """What to look at: what is taken for what, and the worst errors as texts."""
    confusion = {who: analysis.confusion(predictions[who], rows, labels=labels) for who in MODELS}
    return {
        "confusion": {"labels": analysis.confusion_labels(labels), "counts": confusion},
        "errors": worst(mistakes, rows, predictions, analysis),
        "errors_of": ERRORS_OF,
    }


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, 5) for name, score in scores.items()}


if __name__ == "__main__":
    run(main, Parameters)
