"""A model is loaded and run in a process of its own, which has no torch in it for an ONNX file."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tests.tiny_bert import CONFIG
from tinybert.export.convert import write_float32
from tinybert.export.latency import REFERENCE, Variant, onnx_variants, random_inputs, torch_variants
from tinybert.export.probe import load_torch, probe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig.from_dict(CONFIG)).eval()
    model.save_pretrained(folder)
    write_float32(model, folder / "model.onnx")
    return folder


@pytest.mark.parametrize(("runtime", "name"), [("torch", "."), ("onnxruntime", "model.onnx")])
def test_loading_and_memory_are_measured(folder: Path, runtime: str, name: str) -> None:
    measured = probe(runtime, folder / name, length=8, threads=1)
    assert measured["load_ms"] > 0
    assert measured["peak_bytes"] > 10e6  # no Python process is smaller


def test_the_peak_is_that_of_the_process_itself(folder: Path) -> None:
    """On Linux a child process inherits getrusage's peak from its parent."""
    held = bytearray(b"1") * 600_000_000
    measured = probe("onnxruntime", folder / "model.onnx", length=8, threads=1)
    assert measured["peak_bytes"] < len(held)


def test_a_session_needs_no_torch() -> None:
    code = "import sys; import tinybert.export.runtime, tinybert.export.probe; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_is_loaded_in_its_own_class_with_the_defaults_of_transformers(folder: Path) -> None:
    model = load_torch(folder)
    assert type(model) is BertForSequenceClassification and not model.training
    assert (model.config._attn_implementation, model.dtype) == ("sdpa", torch.float32)


def test_all_variants_of_one_model_agree(folder: Path) -> None:
    """They are timed on the same work, so that it has to be the same."""
    batch = random_inputs(3, 11, vocab_size=CONFIG["vocab_size"])
    variants = torch_variants("teacher", load_torch(folder))
    variants |= onnx_variants("teacher", {"float32": folder / "model.onnx"}, threads=1)
    half, onnx = REFERENCE._replace(precision="bfloat16"), Variant("teacher", "onnxruntime", "float32")
    assert list(variants) == [REFERENCE, half, onnx]
    outputs: Any = {variant: call(batch) for variant, call in variants.items()}
    expected = outputs[REFERENCE].logits
    torch.testing.assert_close(torch.from_numpy(outputs[onnx]["logits"]), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs[half].logits.float(), expected, rtol=0.1, atol=0.05)
