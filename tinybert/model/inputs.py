"""The inputs of a BERT."""

from typing import Any

MODEL_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Batch = dict[str, Any]
"""Tensors by name: MODEL_INPUTS [B, L], and labels or distillation targets."""


def model_inputs(batch: Batch) -> Batch:
    """The tensors of a batch that a model takes."""
    return {name: batch[name] for name in MODEL_INPUTS}
