"""A student as ONNX: float32 in standard operators, and int8 for onnxruntime; both checked against PyTorch.

The checks see the validation split alone: a limit that asked for another export after a look at the test split would
choose by it. Of the variants of int8 the first that keeps the score is written, and none where none does.

In: models/tasks/T/students/S, data/tasks/T.
Out: models/tasks/T/onnx/S/{model.onnx,model_int8.onnx,export.json,README.md}, with configuration and tokenizer.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
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
from tinybert.export.convert import OPSET, write_float32
from tinybert.export.int8 import VARIANTS, write_variants
from tinybert.export.runtime import FLOAT32_FILE, INT8_FILE, OnnxModel
from tinybert.files import write_json, write_text
from tinybert.finetuning.predict import Encoded, Scorer
from tinybert.reporting.onnx_card import onnx_card
from tinybert.training.devices import set_up
from tinybert.training.progress import log

COMPARED = 100
"""Inputs compared with PyTorch, of all lengths."""
SPLIT = "validation"
STANDARD = "float32, standard operators"


class Parameters(Section):
    compute: Compute
    export: Export
    task: Scored


def main(p: Parameters, run: Run) -> None:
    task, options = p.task, p.export
    source, target = (Path("models/tasks") / run.task / name / run.student for name in ("students", "onnx"))
    accelerator = set_up(threads=p.compute.threads, precision="float32", cpu=True)
    scorer = Scorer(task.kind, data=Path("data/tasks") / run.task, checkpoint=source, encoding=task.encoding,
                    decoding=task.decoding, accelerator=accelerator)  # fmt: skip
    data, student = scorer.read(SPLIT), scorer.task.build(source, labels=scorer.labels, seed=0)
    with atomic_folder(target) as folder:
        write_float32(student, folder / FLOAT32_FILE)
        difference = _difference(scorer, student, folder / FLOAT32_FILE, data)
        _require_close(difference, at_most=options.max_logit_diff)
        tried = _write_int8(scorer, student, folder / INT8_FILE, data, metric=task.metric, options=options)
        student.config.save_pretrained(folder)
        save_tokenizer(scorer.tokenizer, folder=folder)
        facts = {"opset": OPSET, "max_logit_diff": float(f"{difference:.3g}"), "metric": task.metric, "int8": tried}
        write_json(folder / "export.json", facts)
        sizes = {n: (folder / n).stat().st_size for n in (FLOAT32_FILE, INT8_FILE) if (folder / n).exists()}
        contents = {FLOAT32_FILE: STANDARD, INT8_FILE: VARIANTS[tried[-1]["variant"]]}
        write_text(folder / "README.md", onnx_card(run.key, facts, sizes=sizes, contents=contents, rows=len(data.rows)))
    log(f"{target}: float32 differs from PyTorch by at most {difference:.1e}; {_said(tried, task.metric)}")


def _difference(scorer: Scorer, student: Any, file: Path, data: Encoded) -> float:
    """The largest difference of a logit on some of the data."""
    some = _of_all_lengths(data.features)
    onnx = OnnxModel(file, threads=torch.get_num_threads())
    return _max_logit_diff(scorer.logits(student, some), scorer.logits(onnx, some))


def _write_int8(
    scorer: Scorer, student: Any, file: Path, data: Encoded, *, metric: str, options: Export
) -> list[dict[str, Any]]:
    """Write the first variant that keeps the score, if one does, and say of each that was tried how it did."""
    some, threads = _of_all_lengths(data.features), torch.get_num_threads()
    expected, tried = scorer.logits(student, some), list[dict[str, Any]]()

    def error(candidate: Path) -> float:
        return _root_mean_square(expected, scorer.logits(OnnxModel(candidate, threads=threads), some))

    with TemporaryDirectory() as scratch:
        for variant, candidate in write_variants(student, Path(scratch), error=error):
            models = {"torch": student, "int8": OnnxModel(candidate, threads=threads)}
            compared = _compare(scorer, models, data, metric=metric)
            tried.append(_judged(variant, compared, at_most=options.max_metric_drop))
            if tried[-1]["accepted"]:
                shutil.move(candidate, file)
                return tried
    if options.strict:
        raise InputError(_refusal(tried, metric=metric, at_most=options.max_metric_drop))
    return tried


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


def _root_mean_square(torch_logits: list[np.ndarray], onnx_logits: list[np.ndarray]) -> float:
    differences = [(a - b).ravel() for a, b in zip(torch_logits, onnx_logits, strict=True)]
    return float(np.sqrt(np.mean(np.concatenate(differences) ** 2)))


def _judged(variant: str, compared: dict[str, dict[str, Any]], *, at_most: float) -> dict[str, Any]:
    """Scores of one variant. A drop counts that other rows would show too: the lower end of its interval."""
    scores = {name: compared[name]["score"] for name in ("torch", "int8")}
    least = -compared["int8"]["difference_interval"][1]
    return {"variant": variant, **scores, "drop_at_least": round(least, 5), "accepted": bool(least <= at_most)}


def _refusal(tried: list[dict[str, Any]], *, metric: str, at_most: float) -> str:
    best = max(tried, key=lambda one: one["int8"])
    return (
        f"params.yaml: export.max_metric_drop: expected {metric} of the int8 ONNX model on {SPLIT} at most {at_most:g} "
        f"below PyTorch's, got {best['int8']:.4f} and {best['torch']:.4f} with the best of {len(tried)} variants, a "
        f"drop of at least {best['drop_at_least']:.4f} with 95 % confidence; export.strict: false goes on without int8"
    )


def _said(tried: list[dict[str, Any]], metric: str) -> str:
    one = tried[-1]
    if not one["accepted"]:
        return f"no int8 file: none of {len(tried)} variants keeps {metric} on {SPLIT}"
    return f"{metric} on {SPLIT} {one['torch']:.4f} in PyTorch, {one['int8']:.4f} in int8 ({one['variant']})"


if __name__ == "__main__":
    run(main, Parameters)
