"""A fine-tuned BERT as one ONNX file, in float32 and in int8: the same bytes for the same weights."""

import copy
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from stages.runtime.fused import FusedBert

OPSET = 20
"""The first in which GELU is one operator."""
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def write_float32(model: Any, file: Path) -> list[str]:
    """Write `model`, a BERT with a head, in standard operators only, and return the names of its outputs.

    Inputs are INPUTS, int64 [batch, length], both sizes free; outputs have the names of the model's own.
    """
    graph, names = _export(model)
    onnx.save(_with_sums(graph), file)
    return names


def write_int8(model: Any, file: Path) -> None:
    """Write `model` for onnxruntime: attention fused, weights int8 by channel, activations quantized as they come.

    Weights keep to 7 bits, so that sums of products fit into 16 bits also on processors without VNNI, where the same
    file would else go wrong without a word.
    """
    fused = copy.deepcopy(model)
    fused.bert = FusedBert(fused.bert)
    graph, _ = _export(fused)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save(_with_sums(graph), whole)
        _quantize(whole, small)
        onnx.save(_bare(onnx.load(small)), file)


def _quantize(source: Path, target: Path) -> None:
    with _quiet():
        quantize_dynamic(
            source, target, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8,
            # The type of what onnxruntime's own operators give, which ONNX does not know.
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
        )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Without advice that is for other kinds of models, and deprecations inside the exporter."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _export(model: Any) -> tuple[onnx.ModelProto, list[str]]:
    example = {name: torch.ones(2, 8, dtype=torch.long) for name in INPUTS}
    model.eval()
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    named = _Named(model)
    with _quiet():
        program: Any = torch.onnx.export(
            named, (), kwargs=example, dynamo=True, verbose=False, opset_version=OPSET, input_names=list(INPUTS),
            output_names=named.names, dynamic_shapes=dict.fromkeys(INPUTS, sizes),
        )  # fmt: skip
    return _bare(program.model_proto), named.names


class _Named(nn.Module):
    """A model whose outputs are a plain tuple, in the order of `names`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.names = {
            "BertForQuestionAnswering": ["start_logits", "end_logits"],
        }.get(type(model).__name__, ["logits"])

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        outputs = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return tuple(outputs[name] for name in self.names)


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what the exporter notes on its way: paths of this machine, line numbers, versions."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    model.producer_name = model.producer_version = ""
    return model


def _with_sums(model: onnx.ModelProto) -> onnx.ModelProto:
    """The residual additions as `Sum`, the same thing by another name.

    onnxruntime joins `Add` and `LayerNormalization` to an operator whose loops its compiler has not vectorized (seen
    in 1.32: 125 microseconds for 128 x 192 numbers, where the two alone take 25).
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    weights = {weight.name for weight in model.graph.initializer}
    for node in model.graph.node:
        before = makers.get(node.input[0]) if node.op_type == "LayerNormalization" else None
        if before is not None and before.op_type == "Add" and not weights & set(before.input):
            before.op_type = "Sum"
    return model
