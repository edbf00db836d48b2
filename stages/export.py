"""The student as ONNX: float32 in standard operators, and int8 for onnxruntime; both held against PyTorch.

In: models/tasks/T/student, data/tasks/T.
Out: models/tasks/T/onnx/{model.onnx,model_int8.onnx,export.json,README.md}, with configuration and tokenizer.
"""

from pathlib import Path

import numpy as np
import torch

from stages.parameters.compute import Compute
from stages.parameters.runtime import Export
from stages.parameters.section import Section
from stages.parameters.task import Scored
from stages.pipeline.errors import InputError
from stages.pipeline.outputs import whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.onnx_card import onnx_card
from stages.reporting.tables import write_json
from stages.runtime.files import EXACT, SMALL
from stages.runtime.onnx_file import OPSET, write_float32, write_int8
from stages.runtime.onnx_model import OnnxModel
from stages.text.tokenizer import load_tokenizer, save_tokenizer
from stages.training.machine import set_up
from stages.training.scoring import Scorer

COMPARED = 100
"""Inputs compared with PyTorch, of all lengths."""


class Parameters(Section):
    compute: Compute
    export: Export
    task: Scored


def main(p: Parameters, run: Run) -> None:
    task, data, source = p.task, Path("data/tasks") / run.key, Path("models/tasks") / run.key / "student"
    accelerator = set_up(threads=p.compute.threads, precision="float32", cpu=True)
    tokenizer = load_tokenizer(source)
    scorer = Scorer.of(task, data=data, tokenizer=tokenizer, accelerator=accelerator)
    test = scorer.read(data, "test")
    student = scorer.kind.build(source, labels=scorer.labels, seed=0)
    with whole_folder(f"models/tasks/{run.key}/onnx") as folder:
        write_float32(student, folder / EXACT)
        write_int8(student, folder / SMALL)
        exact, small = (OnnxModel(folder / name, threads=torch.get_num_threads()) for name in (EXACT, SMALL))
        some = _of_all_lengths(test.features)
        difference = _difference(scorer.logits(student, some), scorer.logits(exact, some))
        _require_same(difference, at_most=p.export.largest_difference)
        scores = {name: round(scorer.scores(model, test)[task.metric], 5)
                  for name, model in (("torch", student), ("int8", small))}  # fmt: skip
        _require_kept(scores, metric=task.metric, at_most=p.export.largest_loss)
        student.config.save_pretrained(folder)
        save_tokenizer(tokenizer, folder=folder)
        found = {"opset": OPSET, "largest_difference": float(f"{difference:.3g}"), "metric": task.metric,
                 "scores": scores}  # fmt: skip
        write_json(folder / "export.json", found)
        sizes = {name: (folder / name).stat().st_size for name in (EXACT, SMALL)}
        text = onnx_card(run.key, found, sizes=sizes, rows=len(test.rows))
        (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
    say(f"models/tasks/{run.key}/onnx: float32 differs from PyTorch by at most {difference:.1e}; "
        f"{task.metric} {scores['torch']:.4f} in PyTorch, {scores['int8']:.4f} in int8")  # fmt: skip


def _of_all_lengths(features: list[dict]) -> list[dict]:
    """At most COMPARED features, from the shortest to the longest."""
    ordered = sorted(features, key=lambda feature: len(feature["input_ids"]))
    chosen = np.unique(np.linspace(0, len(ordered) - 1, num=COMPARED).astype(int))
    return [ordered[n] for n in chosen]


def _difference(wanted: list[np.ndarray], found: list[np.ndarray]) -> float:
    return max(float(np.abs(one - other).max()) for one, other in zip(wanted, found, strict=True))


def _require_same(difference: float, *, at_most: float) -> None:
    if not difference <= at_most:
        raise InputError(
            f"a logit of the float32 ONNX model differs from PyTorch's by {difference:.3g}; "
            f"wanted is at most export.largest_difference, {at_most:g}"
        )


def _require_kept(scores: dict[str, float], *, metric: str, at_most: float) -> None:
    if not scores["torch"] - scores["int8"] <= at_most:
        raise InputError(
            f"{metric} of the int8 ONNX model is {scores['int8']:.4f}, in PyTorch it is {scores['torch']:.4f}; "
            f"wanted is a loss of at most export.largest_loss, {at_most:g}"
        )


if __name__ == "__main__":
    run(main, Parameters)
