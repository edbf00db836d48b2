"""A BERT with random weights."""

import math
from typing import Any

import torch
from transformers import BertConfig, BertForPreTraining


def random_bert(*, seed: int, **shape: Any) -> BertForPreTraining:
    """A random BERT without dropout; `shape` are arguments of BertConfig.

    Its position embeddings start as sinusoids (Vaswani et al. 2017, section 3.5) as large as BERT's random ones, and
    are trained from there: neighbouring positions are similar from the first step.
    """
    torch.manual_seed(seed)
    model = BertForPreTraining(BertConfig(**shape, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    positions = model.bert.embeddings.position_embeddings.weight
    with torch.no_grad():
        positions.copy_(sinusoids(*positions.shape) * model.config.initializer_range * math.sqrt(2.0))
    return model


def sinusoids(count: int, width: int) -> torch.Tensor:
    """Sines in even columns and cosines in odd ones, [count, width], with wavelengths from 2 pi to 10000 * 2 pi."""
    frequencies = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(count)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]
