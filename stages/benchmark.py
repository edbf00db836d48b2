"""Size, latency and throughput of the teacher and the student, on the CPU. The only stage whose output is not the same
from run to run.

In: models/tasks/T/{teacher,student,onnx}. Out: reports/tasks/T/benchmark.json.
"""

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.model.checkpoint import require_positions
from stages.model.size import count_parameters, multiply_adds
from stages.parameters.compute import Compute
from stages.parameters.kinds import TaskKind
from stages.parameters.runtime import Benchmark
from stages.parameters.section import Section
from stages.pipeline.outputs import whole
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_json
from stages.runtime.contenders import REFERENCE, Way, Ways, in_onnxruntime, in_torch, timed
from stages.runtime.files import EXACT, SMALL
from stages.runtime.latency import ratio, summary
from stages.runtime.onnx_file import write_float32, write_int8
from stages.runtime.probe import probe
from stages.tasks.tables import read_labels
from stages.training.machine import describe, set_up

FILES = {"float32": EXACT, "int8": SMALL}
EXPORTED = "exported"
"""The student's int8 file, as `evaluate` calls it."""
WEIGHTS = "model.safetensors"
ROUNDS_OF_BATCHES = 3
"""Rounds of a throughput, whose calls are long."""


class Task(Section):
    kind: TaskKind


class Parameters(Section):
    compute: Compute
    benchmark: Benchmark
    task: Task


def main(p: Parameters, run: Run) -> None:
    folder, options = Path("models/tasks") / run.key, p.benchmark
    accelerator = set_up(threads=p.compute.threads, precision="float32", cpu=True)
    torch.use_deterministic_algorithms(False)
    threads = torch.get_num_threads()
    kind, labels = import_module(f"stages.tasks.{p.task.kind}"), read_labels(Path("data/tasks") / run.key)
    models = {who: kind.build(folder / who, labels=labels, seed=0).eval() for who in ("teacher", "student")}
    for model in models.values():
        require_positions(max(options.lengths), model.config, key="a length of benchmark.lengths")
        model.set_attn_implementation("sdpa")  # what anyone gets who loads it
    with tempfile.TemporaryDirectory() as place:
        ways = _ways(models, folder / "onnx", exported_teacher=Path(place), threads=threads)
    vocabulary = min(model.config.vocab_size for model in models.values())
    latency = _latency(ways, options, vocab_size=vocabulary)
    throughput = _throughput(ways, options, vocab_size=vocabulary)
    found = {"models": _sizes(models, folder, lengths=options.lengths), "latency": latency, "throughput": throughput,
             "processes": _processes(folder, length=max(options.lengths), threads=threads), "threads": threads,
             "machine": describe(accelerator)}  # fmt: skip
    with whole(Path("reports/tasks") / run.key / "benchmark.json") as file:
        write_json(file, found)
    for row in latency:
        say(f"{run.key}: {row['who']} in {row['runtime']} {row['precision']}, {row['length']} tokens: "
            f"{row['median_ms']:.2f} ms, {row['ratio']:.1f} x")  # fmt: skip


def _ways(models: dict[str, Any], exported: Path, *, exported_teacher: Path, threads: int) -> Ways:
    """Both models in PyTorch and in onnxruntime, for which the teacher is exported into an empty folder."""
    write_float32(models["teacher"], exported_teacher / FILES["float32"])
    write_int8(models["teacher"], exported_teacher / FILES["int8"])
    teacher, student = ({name: place / file for name, file in FILES.items()} for place in (exported_teacher, exported))
    ways = in_torch("teacher", models["teacher"]) | in_onnxruntime("teacher", teacher, threads=threads)
    small = student.pop("int8")
    ways |= in_torch("student", models["student"]) | in_onnxruntime("student", student, threads=threads)
    return ways | in_onnxruntime(EXPORTED, {"int8": small}, threads=threads)


def _latency(ways: Ways, options: Benchmark, *, vocab_size: int) -> list[dict[str, Any]]:
    """One sequence at a time."""
    rows: list[dict[str, Any]] = []
    for length in options.lengths:
        seconds = timed(ways, batch_size=1, length=length, vocab_size=vocab_size, rounds=options.rounds)
        for way, times in seconds.items():
            figures = summary(times) | {"ratio": ratio(times, seconds[REFERENCE])}
            rows.append(way._asdict() | {"length": length, "batch_size": 1} | figures)
    return rows


def _throughput(ways: Ways, options: Benchmark, *, vocab_size: int) -> list[dict[str, Any]]:
    """At the batch size that is fastest for each way."""
    rows: list[dict[str, Any]] = []
    for length in options.lengths:
        best: dict[Way, tuple[float, int]] = {}
        for size in options.batch_sizes:
            seconds = timed(ways, batch_size=size, length=length, vocab_size=vocab_size, rounds=ROUNDS_OF_BATCHES)
            for way, times in seconds.items():
                best[way] = max(best.get(way, (0.0, 0)), (size / float(np.median(times)), size))
        for way, (speed, size) in best.items():
            figures = {"sequences_per_second": round(speed, 1), "ratio": round(speed / best[REFERENCE][0], 2)}
            rows.append(way._asdict() | {"length": length, "batch_size": size} | figures)
    return rows


def _sizes(models: dict[str, Any], folder: Path, *, lengths: list[int]) -> dict[str, dict[str, int]]:
    """Multiply-adds are of one sequence of the longest length."""
    sizes = {
        who: count_parameters(model)
        | {"multiply_adds": multiply_adds(model, length=max(lengths)), "bytes": (folder / who / WEIGHTS).stat().st_size}
        for who, model in models.items()
    }
    return sizes | {EXPORTED: sizes["student"] | {"bytes": (folder / "onnx" / FILES["int8"]).stat().st_size}}


def _processes(folder: Path, *, length: int, threads: int) -> list[dict[str, Any]]:
    """Loading and memory of each file that is kept, each in a process of its own."""
    places = {Way(who, "torch", "float32"): folder / who for who in ("teacher", "student")}
    for who, precision in (("student", "float32"), (EXPORTED, "int8")):
        places[Way(who, "onnxruntime", precision)] = folder / "onnx" / FILES[precision]
    return [way._asdict() | probe(way.runtime, place, length=length, threads=threads) for way, place in places.items()]


if __name__ == "__main__":
    run(main, Parameters)
