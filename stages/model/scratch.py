"""A BERT with random weights."""

from typing import Any

import torch
from transformers import BertConfig, BertForPreTraining


def from_scratch(*, seed: int, **shape: Any) -> BertForPreTraining:
    """A random BERT; `shape` are BertConfig's own names."""
    torch.manual_seed(seed)
    return BertForPreTraining(BertConfig(**shape, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
