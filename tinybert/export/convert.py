"""A fine-tuned BERT as one ONNX file: the same bytes for the same weights. B batch, L length, H hidden size."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from transformers import BertForQuestionAnswering, BertModel, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from tinybert.model.inputs import MODEL_INPUTS

OPSET = 20
"""The first in which GELU is one operator."""


def write_float32(model: PreTrainedModel, file: Path) -> list[str]:
    """Write `model`, a BERT with a task head, in standard operators only; return the names of its outputs.

    The inputs are MODEL_INPUTS, int64 [B, L], with free B and L. The outputs keep the names of the model's own.
    """
    graph, names = export_graph(model)
    onnx.save(additions_as_sums(graph), file)
    return names


@contextmanager
def quiet() -> Iterator[None]:
    """Hides advice and deprecation warnings of exporter and quantizer."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def export_graph(model: PreTrainedModel) -> tuple[onnx.ModelProto, list[str]]:
    """The ONNX graph of `model`, and the names of its outputs."""
    example = {name: torch.ones(2, 8, dtype=torch.long) for name in MODEL_INPUTS}
    model.eval()
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    named = _NamedOutputs(model)
    with quiet():
        program: Any = torch.onnx.export(
            named, (), kwargs=example, dynamo=True, verbose=False, opset_version=OPSET, input_names=list(MODEL_INPUTS),
            output_names=named.names, dynamic_shapes=dict.fromkeys(MODEL_INPUTS, sizes),
        )  # fmt: skip
    return without_metadata(program.model_proto), named.names


class _NamedOutputs(nn.Module):
    """A model that returns a plain tuple of the outputs in `names`, in this order."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        answers = isinstance(model, BertForQuestionAnswering)
        self.names = ["start_logits", "end_logits"] if answers else ["logits"]

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        outputs = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return tuple(outputs[name] for name in self.names)


def without_metadata(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` without the exporter's notes: local paths, line numbers, versions."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    model.producer_name = model.producer_version = ""
    return model


def additions_as_sums(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with its residual additions as `Sum`, which computes the same.

    onnxruntime fuses `Add` and `LayerNormalization` into an operator with loops that its compiler has not vectorized
    (seen in 1.32: 125 microseconds for 128 x 192 numbers, where the two separate operators take 25).
    """
    producers = {name: node for node in model.graph.node for name in node.output}
    weights = {weight.name for weight in model.graph.initializer}
    for node in model.graph.node:
        before = producers.get(node.input[0]) if node.op_type == "LayerNormalization" else None
        if before is not None and before.op_type == "Add" and not weights & set(before.input):
            before.op_type = "Sum"
    return model


class FusedBert(nn.Module):
    """A BertModel for export: the attention of each layer is one `com.microsoft::Attention` operator.

    This contrib operator of onnxruntime takes a mask [B, L] as it is. The weights of the query, key and value
    projections are one matrix, so that quantization turns them into one product.
    """

    def __init__(self, bert: BertModel) -> None:
        """Takes `bert` over: its attention is replaced in place."""
        super().__init__()
        self.bert = bert
        self.layers: Any = bert.encoder.layer
        for layer in self.layers:
            layer.attention.self = _FusedAttention(layer.attention.self)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor, **_: Any
    ) -> BaseModelOutputWithPooling:
        """`attention_mask` [B, L] is 1 at real tokens."""
        hidden_BLH = self.bert.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        for layer in self.layers:
            hidden_BLH = layer(hidden_BLH, attention_mask.to(torch.int32))
        pooled_BH = self.bert.pooler(hidden_BLH) if self.bert.pooler is not None else None
        return BaseModelOutputWithPooling(last_hidden_state=hidden_BLH, pooler_output=pooled_BH)


class _FusedAttention(nn.Module):
    def __init__(self, attention: Any) -> None:
        super().__init__()
        projections = (attention.query, attention.key, attention.value)
        self.weight = nn.Parameter(torch.cat([projection.weight for projection in projections]).T.contiguous())
        self.bias = nn.Parameter(torch.cat([projection.bias for projection in projections]))
        self._heads = attention.num_attention_heads

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, None]:
        """The context vectors [B, L, H], and None in place of attention weights."""
        context_BLH = torch.onnx.ops.symbolic(
            "com.microsoft::Attention", (hidden_states, self.weight, self.bias, attention_mask),
            {"num_heads": self._heads}, dtype=hidden_states.dtype, shape=hidden_states.shape, version=1,
        )  # fmt: skip
        return context_BLH, None
