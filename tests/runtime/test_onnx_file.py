"""ONNX files give what the PyTorch model gives, at every length, and are the same bytes each time."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering, BertForSequenceClassification, BertForTokenClassification

from stages.runtime.onnx_file import INPUTS, OPSET, write_float32, write_int8
from stages.runtime.onnx_model import OnnxModel
from tests.tiny_bert import CONFIG

HEADS = (BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering)
NAMES = {BertForQuestionAnswering: ["start_logits", "end_logits"]}


def build(head: Any) -> Any:
    torch.manual_seed(0)
    model = head(BertConfig.from_dict(CONFIG | {"num_labels": 2 if head is BertForQuestionAnswering else 3}))
    for weight in model.parameters():  # of a size at which errors are seen
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


@pytest.fixture(scope="module", params=HEADS, ids=lambda head: head.__name__)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model, folder = build(request.param), tmp_path_factory.mktemp("onnx")
    names = write_float32(model, folder / "model.onnx")
    assert names == NAMES.get(request.param, ["logits"])
    write_int8(model, folder / "model_int8.onnx")
    return model, folder


def batch(*lengths: int) -> dict[str, torch.Tensor]:
    """Rows of these lengths, padded to the longest."""
    mask = torch.tensor([[int(n < length) for n in range(max(lengths))] for length in lengths])
    ids = torch.randint(1, CONFIG["vocab_size"], mask.shape, generator=torch.Generator().manual_seed(1)) * mask
    kinds = (torch.arange(max(lengths)) > max(lengths) // 2).long() * mask
    return dict(zip(INPUTS, (ids, mask, kinds), strict=True))


def outputs(model: Any, inputs: dict[str, torch.Tensor], names: list[str]) -> torch.Tensor:
    with torch.inference_mode():
        found = model(**inputs)
    return torch.stack([getattr(found, name) for name in names])


@pytest.mark.parametrize("lengths", [(5,), (1,), (30,), (7, 3), (2, 9, 4, 9)], ids=str)
def test_float32_is_the_model_at_every_batch_and_length(made: tuple[Any, Path], lengths: tuple[int, ...]) -> None:
    model, folder = made
    names = NAMES.get(type(model), ["logits"])
    found = outputs(OnnxModel(folder / "model.onnx", threads=1), batch(*lengths), names)
    torch.testing.assert_close(found, outputs(model, batch(*lengths), names), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [(5,), (30,), (7, 3)], ids=str)
def test_int8_is_near_the_model(made: tuple[Any, Path], lengths: tuple[int, ...]) -> None:
    model, folder = made
    names = NAMES.get(type(model), ["logits"])
    found = outputs(OnnxModel(folder / "model_int8.onnx", threads=1), batch(*lengths), names)
    wanted = outputs(model, batch(*lengths), names)
    assert (found - wanted).square().mean() < 0.02 * wanted.square().mean()


def test_the_fused_attention_sees_no_padding(made: tuple[Any, Path]) -> None:
    """In float32, where what is padded changes no sum: the fused graph before it is quantized is exact."""
    model, folder = made
    names = NAMES.get(type(model), ["logits"])
    small = OnnxModel(folder / "model_int8.onnx", threads=1)
    long, short = batch(6, 30), {name: tensor[:1, :6] for name, tensor in batch(6, 30).items()}
    found, alone = outputs(small, long, names)[:, 0], outputs(small, short, names)[:, 0]
    found = found[:, :6] if found.ndim > 1 and found.shape[1] == 30 else found
    # Activations are quantized by the batch's own range, so that they are not quite the same.
    assert (found - alone).square().mean() < 0.02 * alone.square().mean()


def test_the_same_model_gives_the_same_bytes_and_no_path(made: tuple[Any, Path], tmp_path: Path) -> None:
    model, folder = made
    write_float32(model, tmp_path / "again.onnx")
    write_int8(model, tmp_path / "again_int8.onnx")
    for name, again in (("model.onnx", "again.onnx"), ("model_int8.onnx", "again_int8.onnx")):
        content = (tmp_path / again).read_bytes()
        assert content == (folder / name).read_bytes()
        assert b"/transformers/" not in content and b".py" not in content


def test_float32_has_standard_operators_only_and_int8_one_attention_a_layer(made: tuple[Any, Path]) -> None:
    _, folder = made
    whole, small = (onnx.load(folder / name) for name in ("model.onnx", "model_int8.onnx"))
    assert {(one.domain, one.version) for one in whole.opset_import} == {("", OPSET)}
    onnx.checker.check_model(whole)
    kinds = [node.op_type for node in small.graph.node]
    assert kinds.count("QAttention") == CONFIG["num_hidden_layers"]
    assert {np.dtype("int8"), np.dtype("uint8")} & {
        onnx.numpy_helper.to_array(weight).dtype for weight in small.graph.initializer if len(weight.dims) == 2
    }
    assert not [w.name for w in small.graph.initializer if len(w.dims) == 2 and w.data_type == onnx.TensorProto.FLOAT]


def test_the_model_itself_is_left_as_it_was(made: tuple[Any, Path]) -> None:
    model, _ = made
    fresh = build(type(model))
    torch.testing.assert_close(model.state_dict(), fresh.state_dict(), rtol=0, atol=0)
