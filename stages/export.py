"""A student as ONNX: float32 in standard operators, and int8 for onnxruntime; both checked against PyTorch.

The checks see the validation split alone: a limit that asked for another export after a look at the test split would
choose by it.

In: models/tasks/T/students/S, data/tasks/T.
Out: models/tasks/T/onnx/S/{model.onnx,model_int8.onnx,export.json,README.md}, with configuration and tokenizer.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.parameters.section import Section
from stages.parameters.sections import Compute, Export
from stages.parameters.tasks import Scored
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import save_tokenizer
from tinybert.errors import InputError
from tinybert.evaluation.comparison import compare
from tinybert.export.convert import OPSET, write_float32, write_int8
from tinybert.export.runtime import FLOAT32_FILE, INT8_FILE, OnnxModel
from tinybert.files import write_json, write_text
from tinybert.finetuning.predict import Encoded, Scorer
from tinybert.reporting.onnx_card import onnx_card
from tinybert.training.devices import set_up
from tinybert.training.progress import log

COMPARED = 100
"""Inputs compared with PyTorch, of all lengths."""
SPLIT = "validation"


class Parameters(Section):
    compute: Compute
    export: Export
    task: Scored


def main(p: Parameters, run: Run) -> None:
    task = p.task
    source, target = (Path("models/tasks") / run.task / name / run.student for name in ("students", "onnx"))
    accelerator = set_up(threads=p.compute.threads, precision="float32", cpu=True)
    scorer = Scorer(task.kind, data=Path("data/tasks") / run.task, checkpoint=source, encoding=task.encoding,
                    decoding=task.decoding, accelerator=accelerator)  # fmt: skip
    data, student = scorer.read(SPLIT), scorer.task.build(source, labels=scorer.labels, seed=0)
    with atomic_folder(target) as folder:
        write_float32(student, folder / FLOAT32_FILE)
        write_int8(student, folder / INT8_FILE)
        float32, int8 = (OnnxModel(folder / n, threads=torch.get_num_threads()) for n in (FLOAT32_FILE, INT8_FILE))
        some = _of_all_lengths(data.features)
        difference = _max_logit_diff(scorer.logits(student, some), scorer.logits(float32, some))
        _require_close(difference, at_most=p.export.max_logit_diff)
        compared = _compare(scorer, {"torch": student, "int8": int8}, data, metric=task.metric)
        _require_kept(compared, metric=task.metric, at_most=p.export.max_metric_drop)
        scores = {name: score["score"] for name, score in compared.items()}
        student.config.save_pretrained(folder)
        save_tokenizer(scorer.tokenizer, folder=folder)
        facts = {"opset": OPSET, "max_logit_diff": float(f"{difference:.3g}"), "metric": task.metric, "scores": scores}
        write_json(folder / "export.json", facts)
        sizes = {name: (folder / name).stat().st_size for name in (FLOAT32_FILE, INT8_FILE)}
        card = onnx_card(run.key, facts, sizes=sizes, rows=len(data.rows))
        write_text(folder / "README.md", card)
    log(f"{target}: float32 differs from PyTorch by at most {difference:.1e}; "
        f"{task.metric} on {SPLIT} {scores['torch']:.4f} in PyTorch, {scores['int8']:.4f} in int8")  # fmt: skip


def _of_all_lengths(features: list[dict]) -> list[dict]:
    """At most COMPARED features, from the shortest to the longest."""
    ordered = sorted(features, key=lambda feature: len(feature["input_ids"]))
    chosen = np.unique(np.linspace(0, len(ordered) - 1, num=COMPARED).astype(int))
    return [ordered[n] for n in chosen]


def _max_logit_diff(torch_logits: list[np.ndarray], onnx_logits: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(torch_logits, onnx_logits, strict=True))


def _require_close(difference: float, *, at_most: float) -> None:
    if not difference <= at_most:
        raise InputError(
            f"params.yaml: export.max_logit_diff: expected at most {at_most:g} between a logit of the float32 ONNX "
            f"model and PyTorch's, got {difference:.3g}"
        )


def _compare(scorer: Scorer, models: dict[str, Any], data: Encoded, *, metric: str) -> dict[str, dict[str, Any]]:
    """Scores of the models on the same rows, and the interval of each difference from PyTorch's (see `compare`)."""
    predictions = {name: scorer.decode(scorer.logits(model, data.features), data) for name, model in models.items()}
    statistics = {name: scorer.metrics.row_statistics(predicted, data.rows, labels=scorer.labels)
                  for name, predicted in predictions.items()}  # fmt: skip
    return compare(scorer.metrics, statistics, metric=metric, labels=scorer.labels, reference="torch")


def _require_kept(compared: dict[str, dict[str, Any]], *, metric: str, at_most: float) -> None:
    """A drop counts that other rows would show too: the lower end of its interval."""
    torch_score, int8_score = (compared[name]["score"] for name in ("torch", "int8"))
    least = -compared["int8"]["difference_interval"][1]
    if not least <= at_most:
        raise InputError(
            f"params.yaml: export.max_metric_drop: expected {metric} of the int8 ONNX model on {SPLIT} at most "
            f"{at_most:g} below PyTorch's, got {int8_score:.4f} and {torch_score:.4f}, a drop of at least {least:.4f} "
            "with 95 % confidence"
        )


if __name__ == "__main__":
    run(main, Parameters)
