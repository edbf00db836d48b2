"""A tiny BERT whose sizes are odd and distinct so that swapped axes cannot pass, without dropout; and inputs for it."""

from typing import Any

import numpy as np
import torch
from torch import nn

from tinybert.pretraining.masking import Masking
from tinybert.pruning.shape import Shape

CONFIG: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 36, "num_attention_heads": 4, "num_hidden_layers": 5, "intermediate_size": 52,
    "max_position_embeddings": 40, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
IDS = torch.tensor([[2, 17, 44, 98, 5, 61, 3], [2, 30, 31, 32, 3, 0, 0]])
INPUTS = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}
BLOCKS = np.array([[2, *range(10, 17), 3, 2, *range(40, 45), 3], [2, *range(60, 74), 3]], dtype=np.uint16)
"""Packed, of two documents and of one; [CLS], [SEP] and [MASK] are 2, 3 and 4."""
MASKING = Masking(0.4, False, torch.zeros(99, dtype=torch.bool), range(5), 2, 4)
CUT: dict[str, Any] = {"layers": [1, 4], "shape": Shape(hidden_size=20, num_attention_heads=4, intermediate_size=22)}
"""A student: of four heads of nine channels five stay."""


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    """Bit for bit; `b` may have more."""
    weights = b.state_dict()
    return all(torch.equal(weight, weights[name]) for name, weight in a.state_dict().items())
