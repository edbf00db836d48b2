"""A BERT whose attention is one ONNX operator of onnxruntime's own. B batch, L length, H hidden size."""

from typing import Any

import torch
from torch import nn
from transformers import BertModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


class FusedBert(nn.Module):
    """A BertModel for export: each layer's queries, keys, values, scores and sums are one `com.microsoft::Attention`.

    That operator (onnxruntime's contrib operators, ONNX domain com.microsoft) takes a mask [B, L] as it is, and its
    weights of the three projections in one matrix, so that quantized they are one product.
    """

    def __init__(self, bert: BertModel) -> None:
        """Takes `bert` over: its attention is replaced in place."""
        super().__init__()
        self.bert = bert
        self.layers: Any = bert.encoder.layer
        for layer in self.layers:
            layer.attention.self = _Attention(layer.attention.self)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor, **_: Any
    ) -> BaseModelOutputWithPooling:
        """`attention_mask` [B, L] is 1 at real tokens."""
        hidden_BLH = self.bert.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        for layer in self.layers:
            hidden_BLH = layer(hidden_BLH, attention_mask.to(torch.int32))
        pooled_BH = self.bert.pooler(hidden_BLH) if self.bert.pooler is not None else None
        return BaseModelOutputWithPooling(last_hidden_state=hidden_BLH, pooler_output=pooled_BH)


class _Attention(nn.Module):
    def __init__(self, attention: Any) -> None:
        super().__init__()
        parts = (attention.query, attention.key, attention.value)
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]).T.contiguous())
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]))
        self._heads = attention.num_attention_heads

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor, *_: Any, **__: Any) -> Any:
        """Weighted sums [B, L, H], and no weights."""
        sums_BLH = torch.onnx.ops.symbolic(
            "com.microsoft::Attention",
            (hidden_states, self.weight, self.bias, attention_mask),
            {"num_heads": self._heads},
            dtype=hidden_states.dtype,
            shape=hidden_states.shape,
            version=1,
        )
        return sums_BLH, None
