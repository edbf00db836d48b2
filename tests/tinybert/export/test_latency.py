"""Times are measured in turn, and speed-ups by round; rows and sizes for each variant of a teacher and its student."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import BertConfig, BertForSequenceClassification

from tests.tiny_bert import CONFIG
from tinybert.export import latency
from tinybert.export.convert import write_float32, write_int8
from tinybert.export.latency import (
    REFERENCE,
    Variant,
    Variants,
    all_variants,
    interleaved,
    latency_rows,
    model_sizes,
    process_rows,
    random_inputs,
    ratio,
    summary,
    throughput_rows,
)

INT8 = Variant("student_int8", "onnxruntime", "int8")
TWO: Variants = {REFERENCE: lambda inputs: None, INT8: lambda inputs: None}


def test_every_call_has_its_turn_in_every_round() -> None:
    order: list[str] = []
    seconds = interleaved({name: lambda name=name: order.append(name) for name in ("a", "b", "c")}, rounds=4)
    assert order == ["a", "a", "b", "b", "c", "c"] * 4
    assert {name: len(times) for name, times in seconds.items()} == {"a": 4, "b": 4, "c": 4}
    assert all((times >= 0).all() for times in seconds.values())


def test_the_first_call_of_a_turn_is_not_timed() -> None:
    waits = iter([0.2, 0.0] * 3)
    seconds = interleaved({"only": lambda: time.sleep(next(waits))}, rounds=3)
    assert seconds["only"].max() < 0.2


def test_the_summary_is_in_milliseconds() -> None:
    seconds = np.arange(101) / 1000
    assert summary(seconds) == {"median_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}


def test_a_speed_up_is_the_median_of_the_ratios_of_each_round() -> None:
    """A round in which the machine is slow is slow for both."""
    assert ratio(np.array([1.0, 10.0, 1.0]), np.array([3.0, 30.0, 4.0])) == 3.0


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The int8 student takes a millisecond for each token and sequence, and half as long in batches of 8."""

    def time_variants(variants: Variants, *, batch_size: int, length: int, **_: Any) -> dict[Variant, np.ndarray]:
        whole = batch_size * length / 1000
        return {REFERENCE: np.full(3, 4 * whole), INT8: np.full(3, whole / (2 if batch_size == 8 else 1))}

    monkeypatch.setattr(latency, "time_variants", time_variants)


@pytest.mark.usefixtures("seconds")
def test_latency_is_of_one_sequence_at_each_length() -> None:
    rows = latency_rows(TWO, lengths=[16, 32], rounds=3, vocab_size=99)
    assert [(row["model"], row["length"], row["median_ms"], row["ratio"]) for row in rows] == [
        *(("teacher", 16, 64.0, 1.0), ("student_int8", 16, 16.0, 4.0)),
        *(("teacher", 32, 128.0, 1.0), ("student_int8", 32, 32.0, 4.0)),
    ]
    assert rows[1]["runtime"] == "onnxruntime" and rows[1]["precision"] == "int8" and rows[1]["batch_size"] == 1


@pytest.mark.usefixtures("seconds")
def test_throughput_is_that_of_the_fastest_batch_size() -> None:
    rows = throughput_rows(TWO, lengths=[10], batch_sizes=[8, 32], vocab_size=99)
    assert [(row["model"], row["batch_size"], row["sequences_per_second"], row["ratio"]) for row in rows] == [
        ("teacher", 32, 25.0, 1.0),
        ("student_int8", 8, 200.0, 8.0),
    ]


def test_a_teacher_and_its_student_in_all_variants_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = {"teacher": 2, "student": 1}
    models: dict[str, Any] = {
        name: BertForSequenceClassification(BertConfig.from_dict(CONFIG | {"num_hidden_layers": number})).eval()
        for name, number in layers.items()
    }
    folders, onnx = {name: tmp_path / name for name in models}, tmp_path / "onnx"
    for name, model in models.items():
        model.save_pretrained(folders[name])
    onnx.mkdir()
    write_float32(models["student"], onnx / "model.onnx")
    write_int8(models["student"], onnx / "model_int8.onnx")

    variants = all_variants(models["teacher"], models["student"], onnx_folder=onnx, threads=1)
    assert ["/".join(variant) for variant in variants] == [
        *("teacher/torch/float32", "teacher/torch/bfloat16", "teacher/onnxruntime/float32", "teacher/onnxruntime/int8"),
        *("student/torch/float32", "student/torch/bfloat16", "student/onnxruntime/float32"),
        "student_int8/onnxruntime/int8",
    ]
    for call in variants.values():
        call(random_inputs(2, 7, vocab_size=CONFIG["vocab_size"]))

    sizes = model_sizes(models, folders, int8_file=onnx / "model_int8.onnx", length=8)
    assert sizes["student_int8"] == sizes["student"] | {"bytes": (onnx / "model_int8.onnx").stat().st_size}
    assert sizes["teacher"]["bytes"] == (folders["teacher"] / "model.safetensors").stat().st_size
    assert all(sizes["teacher"][name] > number for name, number in sizes["student"].items())

    monkeypatch.setattr(latency, "probe", lambda runtime, place, *, length, threads: {"place": place.name})
    rows = process_rows(folders, onnx_folder=onnx, length=8, threads=1)
    assert [(row["model"], row["place"]) for row in rows] == [
        *(("teacher", "teacher"), ("student", "student")),
        *(("student", "model.onnx"), ("student_int8", "model_int8.onnx")),
    ]
