"""Attention as plain matrix products, where that is faster than PyTorch's fused kernel.

B batch, h heads, L length, d head size.
"""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "products_or_sdpa"
"""What a model is told as its `attn_implementation`; it is not saved with the model."""
LONGEST = 256
"""Tokens up to which B * h * L * L scores are kept for the backward pass."""


def attend(
    module: nn.Module, query_BhLd: torch.Tensor, key_BhLd: torch.Tensor, value_BhLd: torch.Tensor,
    attention_mask: torch.Tensor | None, **options: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """Weighted sums [B, L, h, d], and no weights. `attention_mask` [B, 1, L, L] is True where a token attends.

    On the CPU in bfloat16 the backward pass of the fused kernel takes 2 to 8 times as long as products do (torch 2.13,
    lengths 16 to 256); in float32, on a GPU, and for long sequences, whose scores take memory, the kernel is used.
    """
    dropout = options.pop("dropout", 0.0)
    length = query_BhLd.shape[2]
    if query_BhLd.is_cpu and query_BhLd.dtype == torch.bfloat16 and length <= LONGEST and not dropout:
        return _products(query_BhLd, key_BhLd, value_BhLd, attention_mask), None
    return sdpa_attention_forward(module, query_BhLd, key_BhLd, value_BhLd, attention_mask, dropout=dropout, **options)


def _products(
    query_BhLd: torch.Tensor, key_BhLd: torch.Tensor, value_BhLd: torch.Tensor, visible_B1LL: torch.Tensor | None
) -> torch.Tensor:
    """Vaswani et al. 2017, equation 1. Autocast, where it is on, takes the softmax in float32."""
    scores_BhLL = query_BhLd @ key_BhLd.transpose(2, 3) * query_BhLd.shape[-1] ** -0.5
    if visible_B1LL is not None:
        scores_BhLL = scores_BhLL.masked_fill(~visible_B1LL, float("-inf"))
    weights_BhLL = scores_BhLL.softmax(-1).to(value_BhLd.dtype)
    return (weights_BhLL @ value_BhLd).transpose(1, 2).contiguous()


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
