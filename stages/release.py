"""One folder to publish: a student as Transformers, onnxruntime and Transformers.js load it, with its card.

In: models/tasks/T/students/S, models/tasks/T/onnx/S, reports/tasks/T. Out: models/release/T/S, in the layout of the
hub: config.json, tokenizer, model.safetensors, onnx/model.onnx, onnx/model_quantized.onnx, README.md.
"""

import shutil
from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import LayerMap, Measure
from stages.parameters.tasks import FinetuneStudent, Origin, Scored
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.export.runtime import FLOAT32_FILE, INT8_FILE
from tinybert.files import read_object, write_json, write_text
from tinybert.reporting import results
from tinybert.reporting.card import card
from tinybert.training.progress import log

ONNX_NAMES = {FLOAT32_FILE: "model.onnx", INT8_FILE: "model_quantized.onnx"}
"""As Optimum and Transformers.js call them."""
WITHOUT_INT8 = {"transformers.js_config": {"dtype": "fp32"}}
"""Transformers.js takes the quantized file unless config.json says otherwise."""


class Task(Scored):
    origin: Origin
    student: FinetuneStudent


class Steps(Section):
    steps: int


class Parameters(Section):
    distill: Steps
    measure: Measure
    student: LayerMap
    task: Task


def main(p: Parameters, run: Run) -> None:
    student, onnx = (Path("models/tasks") / run.task / name / run.student for name in ("students", "onnx"))
    target = Path("models/release") / run.task / run.student
    with atomic_folder(target) as folder:
        for file in sorted(student.iterdir()):
            shutil.copyfile(file, folder / file.name)
        (folder / "onnx").mkdir()
        exported = [name for name in ONNX_NAMES if (onnx / name).exists()]
        for name in exported:
            shutil.copyfile(onnx / name, folder / "onnx" / ONNX_NAMES[name])
        if INT8_FILE not in exported:
            write_json(folder / "config.json", read_object(folder / "config.json") | WITHOUT_INT8)
        write_text(folder / "README.md", model_card(p, run.task, run.student, has_int8=INT8_FILE in exported))
    log(f"{target}: `hf upload NAME {target} .` publishes it")


def model_card(p: Parameters, task: str, student: str, *, has_int8: bool) -> str:
    reports = Path("reports/tasks") / task
    files = {n: read_object(reports / "students" / student / f"{n}.json") for n in ("metrics", "findings", "measure")}
    distilled = p.student.is_distilled
    merged = results.merge_students({student: files}, read_object(reports / "floor.json"), metric=p.task.metric)
    return card(
        task, student, metric=p.task.metric, models=results.headline(merged), evaluated=files["metrics"],
        length=max(p.measure.lengths), source=p.task.origin.model_dump(), split=p.task.origin.split,
        max_length=p.task.encoding["max_length"], on_corpus=distilled and p.distill.steps > 0,
        on_task=distilled and p.task.student.distill, has_int8=has_int8, has_pipeline=p.task.kind != "regression",
    )  # fmt: skip


if __name__ == "__main__":
    run(main, Parameters)
