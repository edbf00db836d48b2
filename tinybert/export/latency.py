"""Size, latency and throughput of a teacher and its student in PyTorch and onnxruntime.

Latencies are measured in turn, so that the noise of a machine hits all models alike.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch

from tinybert.export.convert import write_float32
from tinybert.export.int8 import write_int8
from tinybert.export.load import is_disturbed, now
from tinybert.export.probe import Call, probe, torch_call
from tinybert.export.runtime import FLOAT32_FILE, INT8_FILE, open_session, run_session
from tinybert.model.size import count_parameters, multiply_adds

Key = TypeVar("Key")


class Variant(NamedTuple):
    """One way to run one model."""

    model: str
    runtime: str
    precision: str


class Timed(NamedTuple, Generic[Key]):
    """Seconds of each call, [rounds], and whether other programs took part in most rounds."""

    seconds: dict[Key, np.ndarray]
    busy: bool


Variants = dict[Variant, Call]
TEACHER, STUDENT, STUDENT_INT8 = "teacher", "student", "student_int8"
REFERENCE = Variant(TEACHER, "torch", "float32")
"""Speed-ups are relative to it."""
WEIGHTS = "model.safetensors"
PAUSE = 0.2
"""Seconds between two rounds while others run."""
THROUGHPUT_ROUNDS = 3
"""Enough for calls on whole batches, which are long."""


def torch_variants(name: str, model: Any) -> Variants:
    """`model` in float32, and with its weights in bfloat16."""
    half = type(model)(model.config)
    half.load_state_dict(model.state_dict())
    half.eval().to(torch.bfloat16)
    return {Variant(name, "torch", "float32"): torch_call(model), Variant(name, "torch", "bfloat16"): torch_call(half)}


def onnx_variants(name: str, files: Mapping[str, Path], *, threads: int) -> Variants:
    """The ONNX files of a model, by their precision."""
    sessions = {precision: open_session(file, threads=threads) for precision, file in files.items()}
    return {Variant(name, "onnxruntime", key): partial(run_session, session) for key, session in sessions.items()}


def all_variants(teacher: Any, student: Any, *, onnx_folder: Path, threads: int) -> Variants:
    """Both models in PyTorch and in onnxruntime. `onnx_folder` holds the student's files; the teacher is exported."""
    exported = {"float32": onnx_folder / FLOAT32_FILE}
    with tempfile.TemporaryDirectory() as folder:
        files = {"float32": Path(folder) / FLOAT32_FILE, "int8": Path(folder) / INT8_FILE}
        write_float32(teacher, files["float32"])
        write_int8(teacher, files["int8"])
        variants = torch_variants(TEACHER, teacher) | onnx_variants(TEACHER, files, threads=threads)
    variants |= torch_variants(STUDENT, student) | onnx_variants(STUDENT, exported, threads=threads)
    int8 = {"int8": onnx_folder / INT8_FILE} if (onnx_folder / INT8_FILE).exists() else {}
    return variants | onnx_variants(STUDENT_INT8, int8, threads=threads)


def latency_rows(
    variants: Variants, *, lengths: Sequence[int], rounds: int, wait: float, vocab_size: int
) -> list[dict[str, Any]]:
    """Latency of one sequence at a time, and the speed-up over REFERENCE, for each variant and length."""
    rows: list[dict[str, Any]] = []
    for length in lengths:
        seconds, busy = time_variants(
            variants, batch_size=1, length=length, vocab_size=vocab_size, rounds=rounds, wait=wait
        )
        for variant, times in seconds.items():
            figures = summary(times) | {"ratio": ratio(times, seconds[REFERENCE]), "busy": busy}
            rows.append(variant._asdict() | {"length": length, "batch_size": 1} | figures)
    return rows


def throughput_rows(
    variants: Variants, *, lengths: Sequence[int], batch_sizes: Sequence[int], wait: float, vocab_size: int
) -> list[dict[str, Any]]:
    """Sequences per second at each variant's fastest batch size, for each length."""
    rows: list[dict[str, Any]] = []
    for length in lengths:
        best: dict[Variant, tuple[float, int]] = {}
        any_busy = False
        for size in batch_sizes:
            seconds, busy = time_variants(variants, batch_size=size, length=length, vocab_size=vocab_size,
                                    rounds=THROUGHPUT_ROUNDS, wait=wait)  # fmt: skip
            any_busy |= busy
            for variant, times in seconds.items():
                best[variant] = max(best.get(variant, (0.0, 0)), (size / float(np.median(times)), size))
        for variant, (speed, size) in best.items():
            figures = {"sequences_per_second": round(speed, 1), "ratio": round(speed / best[REFERENCE][0], 2)}
            figures |= {"busy": any_busy}
            rows.append(variant._asdict() | {"length": length, "batch_size": size} | figures)
    return rows


def model_sizes(
    models: Mapping[str, Any], folders: Mapping[str, Path], *, int8_file: Path, length: int
) -> dict[str, Any]:
    """Parameters, bytes on disk, and multiply-adds of one sequence of `length`, of each model, and of the int8 file.

    `models` and `folders` have the keys TEACHER and STUDENT.
    """
    sizes = {
        name: count_parameters(model)
        | {"multiply_adds": multiply_adds(model, length=length), "bytes": (folders[name] / WEIGHTS).stat().st_size}
        for name, model in models.items()
    }
    return sizes | ({STUDENT_INT8: sizes[STUDENT] | {"bytes": int8_file.stat().st_size}} if int8_file.exists() else {})


def process_rows(folders: Mapping[str, Path], *, onnx_folder: Path, length: int, threads: int) -> list[dict[str, Any]]:
    """Load time and peak memory of every model that is kept, each in a process of its own."""
    places = {Variant(name, "torch", "float32"): folder for name, folder in folders.items()}
    places[Variant(STUDENT, "onnxruntime", "float32")] = onnx_folder / FLOAT32_FILE
    if (onnx_folder / INT8_FILE).exists():
        places[Variant(STUDENT_INT8, "onnxruntime", "int8")] = onnx_folder / INT8_FILE
    return [
        variant._asdict() | probe(variant.runtime, place, length=length, threads=threads)
        for variant, place in places.items()
    ]


def time_variants(
    variants: Variants, *, batch_size: int, length: int, vocab_size: int, rounds: int, wait: float
) -> Timed[Variant]:
    """Seconds of each variant on the same batch, measured in turn, [rounds]; `wait` is that of `interleaved`."""
    batch = random_inputs(batch_size, length, vocab_size=vocab_size)
    return interleaved({variant: partial(call, batch) for variant, call in variants.items()}, rounds=rounds, wait=wait)


def random_inputs(batch_size: int, length: int, *, vocab_size: int) -> dict[str, np.ndarray]:
    """Random tokens [batch_size, length] without padding."""
    ids = np.random.default_rng(0).integers(0, vocab_size, (batch_size, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def interleaved(calls: Mapping[Key, Callable[[], object]], *, rounds: int, wait: float) -> Timed[Key]:
    """Seconds of each call in each round, [rounds].

    Each call is made twice per turn and the second one is timed: by then the caches hold its weights, and the threads
    of the previous call have stopped spinning for more work. A round in which other programs take part is made again
    later, for up to `wait` seconds beyond the first `rounds`; where too few are undisturbed by then, all that were
    made count, as busy.
    """
    good, bad, deadline = list[dict[Key, float]](), list[dict[Key, float]](), float("inf")
    while len(good) < rounds and time.perf_counter() < deadline:
        start = now()
        seconds = {key: _second_call(call) for key, call in calls.items()}
        (bad if is_disturbed(start, now()) else good).append(seconds)
        if len(good) + len(bad) == rounds:
            deadline = time.perf_counter() + wait
        if len(good) + len(bad) >= rounds > len(good) and wait:
            time.sleep(PAUSE)
    busy = len(good) < rounds / 2
    kept = good + bad if busy else good
    return Timed({key: np.array([seconds[key] for seconds in kept]) for key in calls}, busy)


def _second_call(call: Callable[[], object]) -> float:
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def summary(seconds: np.ndarray) -> dict[str, float]:
    """Median and tail latencies in milliseconds."""
    names = ("median_ms", "p95_ms", "p99_ms")
    percentiles = np.percentile(seconds, (50, 95, 99))
    return {name: round(float(value) * 1000, 3) for name, value in zip(names, percentiles, strict=True)}


def ratio(seconds: np.ndarray, reference: np.ndarray) -> float:
    """Speed-up over `reference`, measured in the same rounds: the median of the ratios of each round."""
    return round(float(np.median(reference / seconds)), 2)
