"""A model is loaded and used in a process of its own; the one of an ONNX file has no torch in it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from stages.runtime.contenders import REFERENCE, Way, in_onnxruntime, in_torch, inputs
from stages.runtime.onnx_file import write_float32
from stages.runtime.probe import probe
from tests.tiny_bert import CONFIG


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
    found = probe(runtime, folder / name, length=8, threads=1)
    assert found["load_ms"] > 0
    assert found["peak_bytes"] > 10e6  # no Python process is smaller


def test_the_peak_is_that_of_the_process_itself(folder: Path) -> None:
    """Linux hands getrusage's peak on to the program that a process starts."""
    held = bytearray(b"1") * 600_000_000
    found = probe("onnxruntime", folder / "model.onnx", length=8, threads=1)
    assert found["peak_bytes"] < len(held)


def test_a_session_needs_no_torch() -> None:
    code = "import sys; import stages.runtime.session, stages.runtime.probe; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_ways_of_one_model_agree(folder: Path) -> None:
    """They are timed on the same work, so that it has to be the same."""
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    batch = inputs(3, 11, vocab_size=CONFIG["vocab_size"])
    ways = in_torch("teacher", model) | in_onnxruntime("teacher", {"float32": folder / "model.onnx"}, threads=1)
    assert list(ways) == [REFERENCE, REFERENCE._replace(precision="bfloat16"), Way("teacher", "onnxruntime", "float32")]
    wanted, rough, exact = (call(batch) for call in ways.values())
    wanted, rough = (found.logits.float() for found in (wanted, rough))
    torch.testing.assert_close(torch.from_numpy(exact["logits"]), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(rough, wanted, rtol=0.1, atol=0.05)
