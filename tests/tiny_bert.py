"""The sizes of a tiny BERT, odd and distinct so that swapped axes cannot pass, without dropout; and inputs for it."""

from typing import Any

import torch

CONFIG: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 36,
    "num_attention_heads": 4,
    "num_hidden_layers": 5,
    "intermediate_size": 52,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
IDS = torch.tensor([[2, 17, 44, 98, 5, 61, 3], [2, 30, 31, 32, 3, 0, 0]])
INPUTS = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}
