"""Predictions and scores of the teacher and the student on the test split, beside a trivial baseline.

In: models/tasks/T/{teacher,student}, data/tasks/T.
Out: reports/tasks/T/{metrics.json,predictions.parquet,evaluate_machine.json}.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.model.size import count_parameters
from stages.parameters.compute import Compute
from stages.parameters.kinds import TaskKind
from stages.parameters.section import Section
from stages.pipeline.outputs import whole
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_json
from stages.tasks.tables import read_labels, read_rows
from stages.text.tokenizer import load_tokenizer
from stages.training.machine import describe, set_up
from stages.training.scoring import Scorer


class Task(Section):
    kind: TaskKind
    metric: str
    encoding: dict[str, Any]
    decoding: dict[str, Any]


class Parameters(Section):
    compute: Compute
    task: Task


def main(p: Parameters, run: Run) -> None:
    task, data, models = p.task, Path("data/tasks") / run.key, Path("models/tasks") / run.key
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    kind, metrics = (import_module(f"stages.{room}.{task.kind}") for room in ("tasks", "metrics"))
    labels, tokenizer = read_labels(data), load_tokenizer(models / "student")
    scorer = Scorer(kind, metrics, tokenizer=tokenizer, labels=labels, encoding=task.encoding, decoding=task.decoding,
                    accelerator=accelerator)  # fmt: skip
    test = scorer.load(read_rows(data, "test"))
    predictions = {"baseline": metrics.baseline(read_rows(data, "train"), test.rows)}
    sizes: dict[str, dict[str, int]] = {}
    for who in ("teacher", "student"):
        model = kind.build(models / who, labels=labels, seed=0).to(accelerator.device)
        predictions[who], sizes[who] = scorer.predictions(model, test), count_parameters(model)
    scores = {who: _rounded(metrics.scores(made, test.rows, labels=labels)) for who, made in predictions.items()}
    kept = scores["student"][task.metric] / scores["teacher"][task.metric] if scores["teacher"][task.metric] else 0.0
    reports = Path("reports/tasks") / run.key
    with (
        whole(reports / "metrics.json") as file,
        whole(reports / "predictions.parquet") as table,
        whole(reports / "evaluate_machine.json") as machine,
    ):
        write_json(file, {who: scores[who] | sizes.get(who, {}) for who in scores} | {"retained": round(kept, 5)})
        pq.write_table(pa.table(predictions), table, compression="zstd")
        write_json(machine, describe(accelerator))
    say(f"{run.key}: {task.metric} of teacher {scores['teacher'][task.metric]:.4f}, of student "
        f"{scores['student'][task.metric]:.4f}, of the baseline {scores['baseline'][task.metric]:.4f}")  # fmt: skip


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, 5) for name, score in scores.items()}


if __name__ == "__main__":
    run(main, Parameters)
