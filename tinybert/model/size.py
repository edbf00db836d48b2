"""The size of a model: parameters, and multiply-adds of a forward pass."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> dict[str, int]:
    """The number of all weights, and of those outside the embedding tables. A tied weight counts once."""
    embeddings = sum(p.numel() for name, p in model.named_parameters() if "embeddings" in name and p.ndim == 2)
    total = sum(p.numel() for p in model.parameters())
    return {"parameters": total, "parameters_without_embeddings": total - embeddings}


def multiply_adds(model: nn.Module, *, length: int) -> int:
    """Multiply-adds of the matrix products for one sequence of `length` tokens; torch counts each as two operations.

    Attention is computed in separate operators here, since torch does not count those of its fused kernel for the CPU.
    """
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(input_ids=torch.ones(1, length, dtype=torch.long))
    return counter.get_total_flops() // 2
