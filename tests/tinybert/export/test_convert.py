"""ONNX files compute what the PyTorch model computes, at every length, and have the same bytes each time."""

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering, BertForSequenceClassification, BertForTokenClassification

from tests import tiny_bert
from tinybert.export import int8
from tinybert.export.convert import OPSET, write_float32
from tinybert.export.int8 import fuse, matrices, sensitive, write_int8, write_variants
from tinybert.export.runtime import OnnxModel
from tinybert.model.inputs import MODEL_INPUTS

CONFIG = tiny_bert.CONFIG | {"num_hidden_layers": 2}
OUTPUTS = {
    BertForSequenceClassification: ["logits"],
    BertForTokenClassification: ["logits"],
    BertForQuestionAnswering: ["start_logits", "end_logits"],
}
"""By head."""


def build(head: Any) -> Any:
    torch.manual_seed(0)
    model = head(BertConfig.from_dict(CONFIG | {"num_labels": 2 if head is BertForQuestionAnswering else 3}))
    for weight in model.parameters():  # large enough to show errors
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


@pytest.fixture(scope="module", params=OUTPUTS, ids=lambda head: head.__name__)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model, folder = build(request.param), tmp_path_factory.mktemp("onnx")
    assert write_float32(model, folder / "model.onnx") == OUTPUTS[request.param]
    write_int8(model, folder / "model_int8.onnx")
    return model, folder


def batch(*lengths: int) -> dict[str, torch.Tensor]:
    """Rows of these lengths, padded to the longest."""
    mask = torch.tensor([[int(n < length) for n in range(max(lengths))] for length in lengths])
    ids = torch.randint(1, CONFIG["vocab_size"], mask.shape, generator=torch.Generator().manual_seed(1)) * mask
    kinds = (torch.arange(max(lengths)) > max(lengths) // 2).long() * mask
    return dict(zip(MODEL_INPUTS, (ids, mask, kinds), strict=True))


def outputs(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        output = model(**inputs)
    names = next(names for names in OUTPUTS.values() if hasattr(output, names[0]))
    return torch.stack([getattr(output, name) for name in names])


@pytest.mark.parametrize("lengths", [(5,), (1,), (30,), (7, 3), (2, 9, 4, 9)], ids=str)
def test_float32_is_the_model_at_every_batch_and_length(exported: tuple[Any, Path], lengths: tuple[int, ...]) -> None:
    model, folder = exported
    actual = outputs(OnnxModel(folder / "model.onnx", threads=1), batch(*lengths))
    torch.testing.assert_close(actual, outputs(model, batch(*lengths)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [(5,), (30,), (7, 3)], ids=str)
def test_int8_is_near_the_model(exported: tuple[Any, Path], lengths: tuple[int, ...]) -> None:
    model, folder = exported
    actual = outputs(OnnxModel(folder / "model_int8.onnx", threads=1), batch(*lengths))
    expected = outputs(model, batch(*lengths))
    assert (actual - expected).square().mean() < 0.02 * expected.square().mean()


def test_a_more_careful_variant_is_nearer_to_the_model(exported: tuple[Any, Path], tmp_path: Path) -> None:
    model, _ = exported
    inputs = batch(30, 17, 9, 25, 3, 8, 14)
    expected = outputs(model, inputs)

    def error(file: Path) -> float:
        return (outputs(OnnxModel(file, threads=1), inputs) - expected).square().mean().item()

    errors = {name: error(file) for name, file in write_variants(model, tmp_path, error=error)}
    assert [*errors] == ["all", "mixed", "weights"]
    assert errors["all"] > errors["mixed"] > 0 < errors["weights"] < 0.01 * expected.square().mean()


def test_the_most_sensitive_matrices_are_those_that_alone_move_the_logits_most(
    exported: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, left = fuse(exported[0]), list[str]()
    names = matrices(graph)
    assert len(names) == len({*names}) >= 3 + 4 * 2 + 1  # tables, matrices of layers, head

    def only_one(graph: Any, file: Path, *, in_float: Any) -> None:
        left.append(*({*names} - in_float))

    monkeypatch.setattr(int8, "quantize", only_one)
    assert sensitive(graph, error=lambda _: names.index(left[-1])) == names[-1 : -1 - -(-len(names) // 4) : -1]
    assert left == names


def test_the_fused_attention_ignores_padding(exported: tuple[Any, Path]) -> None:
    int8 = OnnxModel(exported[1] / "model_int8.onnx", threads=1)
    padded, short = batch(6, 30), {name: tensor[:1, :6] for name, tensor in batch(6, 30).items()}
    beside, alone = outputs(int8, padded)[:, 0], outputs(int8, short)[:, 0]
    beside = beside[:, :6] if beside.shape[1] == 30 else beside
    # Activations are quantized by the range of the batch, so that they are not exactly equal.
    assert (beside - alone).square().mean() < 0.02 * alone.square().mean()


def test_the_same_model_gives_the_same_bytes_and_no_path_and_is_unchanged(
    exported: tuple[Any, Path], tmp_path: Path
) -> None:
    model, folder = exported
    write_float32(model, tmp_path / "again.onnx")
    write_int8(model, tmp_path / "again_int8.onnx")
    for name, again in (("model.onnx", "again.onnx"), ("model_int8.onnx", "again_int8.onnx")):
        content = (tmp_path / again).read_bytes()
        assert content == (folder / name).read_bytes()
        assert b"/transformers/" not in content and b".py" not in content
    torch.testing.assert_close(model.state_dict(), build(type(model)).state_dict(), rtol=0, atol=0)


def test_float32_has_standard_operators_only_and_int8_one_attention_a_layer(exported: tuple[Any, Path]) -> None:
    _, folder = exported
    float32, int8 = (onnx.load(folder / name) for name in ("model.onnx", "model_int8.onnx"))
    assert {(opset.domain, opset.version) for opset in float32.opset_import} == {("", OPSET)}
    onnx.checker.check_model(float32)
    operators = [node.op_type for node in int8.graph.node]
    assert operators.count("QAttention") == CONFIG["num_hidden_layers"]
    types = {weight.data_type for weight in int8.graph.initializer if len(weight.dims) == 2}
    assert onnx.TensorProto.FLOAT not in types and types & {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
