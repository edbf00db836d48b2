"""Latency is measured in turn, and load time and memory in a process of its own, for all variants of two models."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tests.tiny_bert import CONFIG
from tinybert.export import latency
from tinybert.export.convert import write_float32
from tinybert.export.int8 import write_int8
from tinybert.export.latency import REFERENCE, Timed, Variant, Variants, random_inputs
from tinybert.export.load import Clock, is_disturbed, now
from tinybert.export.probe import load_torch, probe

INT8 = Variant("student_int8", "onnxruntime", "int8")
TWO: Variants = {REFERENCE: lambda inputs: None, INT8: lambda inputs: None}


def test_every_call_has_its_turn_in_every_round() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in ("a", "b", "c")}
    seconds, _ = latency.interleaved(calls, rounds=4, wait=0.0)
    assert order == ["a", "a", "b", "b", "c", "c"] * 4
    assert {name: len(times) for name, times in seconds.items()} == {"a": 4, "b": 4, "c": 4}


def test_the_first_call_of_a_turn_is_not_timed() -> None:
    waits = iter([0.2, 0.0] * 3)
    seconds, _ = latency.interleaved({"only": lambda: time.sleep(next(waits))}, rounds=3, wait=0.0)
    assert 0 <= seconds["only"].min() and seconds["only"].max() < 0.2


def clocks(*disturbed: bool) -> Iterator[Clock]:
    """Two moments for each round, a second apart."""
    for other in disturbed:
        yield Clock(0.0, 0.0, 0, 0.0)
        yield Clock(1.0, 1.0, 100 * other, 1.0 + other)


def timed(monkeypatch: pytest.MonkeyPatch, *disturbed: bool, rounds: int, wait: float = 9.0) -> Timed[str]:
    moments = clocks(*disturbed)
    monkeypatch.setattr(latency, "now", lambda: next(moments))
    monkeypatch.setattr(latency, "PAUSE", 0.0)
    return latency.interleaved({"only": lambda: None}, rounds=rounds, wait=wait)


def test_a_round_in_which_others_take_part_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, busy = timed(monkeypatch, True, False, False, True, False, rounds=3)
    assert (len(seconds["only"]), busy) == (3, False)


def test_times_are_busy_where_most_rounds_stay_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, busy = timed(monkeypatch, True, False, True, True, rounds=4, wait=0.0)
    assert (len(seconds["only"]), busy) == (4, True)


def test_others_disturb_who_interrupt_and_compute() -> None:
    start = Clock(0.0, 5.0, 7, 100.0)
    assert is_disturbed(start, Clock(2.0, 7.0, 27, 103.0))
    assert not is_disturbed(start, Clock(2.0, 7.0, 8, 103.0))  # on other cores
    assert not is_disturbed(start, Clock(2.0, 7.0, 27, 102.1))  # interrupted by nobody else's work
    assert is_disturbed(Clock(0.0, 5.0, 7, None), Clock(2.0, 7.0, 27, None))


def test_the_work_of_others_is_seen() -> None:
    start = now()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        time.sleep(1.0)
        end = now()
        other.kill()
    assert start.everyone is not None and end.everyone is not None
    assert end.everyone - start.everyone > 0.3


def test_the_summary_is_in_milliseconds() -> None:
    assert latency.summary(np.arange(101) / 1000) == {"median_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}


def test_a_speed_up_is_the_median_of_the_ratios_of_each_round() -> None:
    """A round in which the machine is slow is slow for both."""
    assert latency.ratio(np.array([1.0, 10.0, 1.0]), np.array([3.0, 30.0, 4.0])) == 3.0


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The int8 student takes a millisecond for each token and sequence, and half as long in batches of 8."""

    def time_variants(variants: Variants, *, batch_size: int, length: int, **_: Any) -> Timed[Variant]:
        whole = batch_size * length / 1000
        times = {REFERENCE: np.full(3, 4 * whole), INT8: np.full(3, whole / (2 if batch_size == 8 else 1))}
        return Timed(times, length == 16)

    monkeypatch.setattr(latency, "time_variants", time_variants)


@pytest.mark.usefixtures("seconds")
def test_latency_is_of_one_sequence_at_each_length() -> None:
    rows = latency.latency_rows(TWO, lengths=[16, 32], rounds=3, wait=0.0, vocab_size=99)
    assert [(row["model"], row["length"], row["median_ms"], row["ratio"]) for row in rows] == [
        *(("teacher", 16, 64.0, 1.0), ("student_int8", 16, 16.0, 4.0)),
        *(("teacher", 32, 128.0, 1.0), ("student_int8", 32, 32.0, 4.0)),
    ]
    assert [row["busy"] for row in rows] == [True, True, False, False]
    assert rows[1]["runtime"] == "onnxruntime" and rows[1]["precision"] == "int8" and rows[1]["batch_size"] == 1


@pytest.mark.usefixtures("seconds")
def test_throughput_is_that_of_the_fastest_batch_size() -> None:
    rows = latency.throughput_rows(TWO, lengths=[10], batch_sizes=[8, 32], wait=0.0, vocab_size=99)
    assert [(row["model"], row["batch_size"], row["sequences_per_second"], row["ratio"]) for row in rows] == [
        ("teacher", 32, 25.0, 1.0),
        ("student_int8", 8, 200.0, 8.0),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher, its student, and the student's ONNX files."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for name, layers in (("teacher", 2), ("student", 1)):
        model = BertForSequenceClassification(BertConfig.from_dict(CONFIG | {"num_hidden_layers": layers})).eval()
        model.save_pretrained(folder / name)
    (folder / "onnx").mkdir()
    write_float32(model, folder / "onnx/model.onnx")
    write_int8(model, folder / "onnx/model_int8.onnx")
    return folder


def test_all_variants_of_a_teacher_and_its_student_agree(folder: Path) -> None:
    """They are timed on the same work, so that it has to be the same."""
    teacher, student = (load_torch(folder / name) for name in ("teacher", "student"))
    variants = latency.all_variants(teacher, student, onnx_folder=folder / "onnx", threads=1)
    assert ["/".join(variant) for variant in variants] == [
        *("teacher/torch/float32", "teacher/torch/bfloat16", "teacher/onnxruntime/float32", "teacher/onnxruntime/int8"),
        *("student/torch/float32", "student/torch/bfloat16", "student/onnxruntime/float32"),
        "student_int8/onnxruntime/int8",
    ]
    batch = random_inputs(3, 11, vocab_size=CONFIG["vocab_size"])
    outputs: Any = {"/".join(variant): call(batch) for variant, call in variants.items()}
    for name in ("teacher", "student"):
        expected, half = (outputs[f"{name}/torch/{precision}"].logits for precision in ("float32", "bfloat16"))
        onnx = torch.from_numpy(outputs[f"{name}/onnxruntime/float32"]["logits"])
        torch.testing.assert_close(onnx, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(half.float(), expected, rtol=0.1, atol=0.05)


def test_sizes_and_processes_are_those_of_every_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders, int8 = {name: folder / name for name in ("teacher", "student")}, folder / "onnx/model_int8.onnx"
    models = {name: load_torch(place) for name, place in folders.items()}
    sizes = latency.model_sizes(models, folders, int8_file=int8, length=8)
    assert sizes["student_int8"] == sizes["student"] | {"bytes": int8.stat().st_size}
    assert sizes["teacher"]["bytes"] == (folder / "teacher/model.safetensors").stat().st_size
    assert all(sizes["teacher"][name] > number for name, number in sizes["student"].items())
    monkeypatch.setattr(latency, "probe", lambda runtime, place, *, length, threads: {"place": place.name})
    rows = latency.process_rows(folders, onnx_folder=folder / "onnx", length=8, threads=1)
    assert [(row["model"], row["place"]) for row in rows] == [
        *(("teacher", "teacher"), ("student", "student")),
        *(("student", "model.onnx"), ("student_int8", "model_int8.onnx")),
    ]


@pytest.mark.parametrize(("runtime", "name"), [("torch", "teacher"), ("onnxruntime", "onnx/model.onnx")])
def test_loading_and_memory_are_measured(folder: Path, runtime: str, name: str) -> None:
    """The peak is that of the process itself: on Linux a child process inherits getrusage's from its parent."""
    held = bytearray(b"1") * 600_000_000
    measured = probe(runtime, folder / name, length=8, threads=1)
    assert measured["load_ms"] > 0
    assert measured["peak_bytes"] > 10e6  # no Python process is smaller
    assert runtime == "torch" or measured["peak_bytes"] < len(held)


def test_a_model_is_loaded_in_its_own_class_with_the_defaults_of_transformers(folder: Path) -> None:
    model = load_torch(folder / "teacher")
    assert type(model) is BertForSequenceClassification and not model.training
    assert (model.config._attn_implementation, model.dtype) == ("sdpa", torch.float32)
