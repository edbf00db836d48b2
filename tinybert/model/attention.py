"""Attention in float32 where bfloat16 is slower. B batch, h heads, L length, d head size."""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sdpa_in_float32_on_cpu"
"""The `attn_implementation` of a model that uses `attend`; it is not saved with the model."""


def attend(
    module: nn.Module, query_BhLd: torch.Tensor, key_BhLd: torch.Tensor, value_BhLd: torch.Tensor,
    attention_mask: torch.Tensor | None, **options: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """Attention outputs [B, L, h, d], and no weights. `attention_mask` [B, 1, L, L] is True where a token attends.

    PyTorch's fused kernel (torch 2.13) takes 1.5 to 4 times as long in bfloat16 as in float32 on the CPU, forward and
    backward together, although the processor multiplies bfloat16 faster.
    """
    dtype = query_BhLd.dtype
    if not query_BhLd.is_cpu or dtype == torch.float32:
        return sdpa_attention_forward(module, query_BhLd, key_BhLd, value_BhLd, attention_mask, **options)
    with torch.autocast("cpu", enabled=False):
        query, key, value = query_BhLd.float(), key_BhLd.float(), value_BhLd.float()
        outputs_BLhd, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return outputs_BLhd.to(dtype), None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
