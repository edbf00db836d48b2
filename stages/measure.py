"""Size, latency and throughput of teacher and student, on the CPU. The only stage whose output is not the same from run
to run.

In: models/tasks/T/{teacher,students/S,onnx/S}. Out: reports/tasks/T/students/S/measure.json.
"""

from pathlib import Path

import torch

from stages.parameters.section import Section
from stages.parameters.sections import Compute, Measure
from stages.pipeline.stage import Run, run
from tinybert.export.latency import (
    STUDENT,
    TEACHER,
    all_variants,
    latency_rows,
    model_sizes,
    process_rows,
    throughput_rows,
)
from tinybert.export.probe import load_torch
from tinybert.export.runtime import INT8_FILE
from tinybert.files import write_json
from tinybert.model.checkpoint import require_positions
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import log


class Parameters(Section):
    compute: Compute
    measure: Measure


def main(p: Parameters, run: Run) -> None:
    options, task = p.measure, Path("models/tasks") / run.task
    folders, onnx = {TEACHER: task / "teacher", STUDENT: task / "students" / run.student}, task / "onnx" / run.student
    accelerator = set_up(threads=p.compute.threads, precision="float32", cpu=True)
    torch.use_deterministic_algorithms(False)
    threads, longest = torch.get_num_threads(), max(options.lengths)
    models = {name: load_torch(folder) for name, folder in folders.items()}
    for model in models.values():
        require_positions(longest, model.config, key="params.yaml: a length of measure.lengths")
    variants = all_variants(models[TEACHER], models[STUDENT], onnx_folder=onnx, threads=threads)
    smallest = min(model.config.vocab_size for model in models.values())
    inputs = {"lengths": options.lengths, "vocab_size": smallest, "wait": options.wait}
    latency = latency_rows(variants, rounds=options.rounds, **inputs)
    measured = {
        "models": model_sizes(models, folders, int8_file=onnx / INT8_FILE, length=longest),
        "latency": latency,
        "throughput": throughput_rows(variants, batch_sizes=options.batch_sizes, **inputs),
        "processes": process_rows(folders, onnx_folder=onnx, length=longest, threads=threads),
        "threads": threads,
        "machine": describe(accelerator),
    }
    write_json(Path("reports/tasks") / run.task / "students" / run.student / "measure.json", measured)
    for row in latency:
        log(f"{run.key}: {row['model']} in {row['runtime']} {row['precision']}, {row['length']} tokens: "
            f"{row['median_ms']:.2f} ms, {row['ratio']:.1f} x")  # fmt: skip


if __name__ == "__main__":
    run(main, Parameters)
