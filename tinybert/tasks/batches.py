"""Features of unequal length as one batch, and what the losses of kinds share. B batch, C classes, L the longest."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tinybert.tasks.encoding import NO_LABEL


def pad(sequences: Sequence, *, value: float, dtype: torch.dtype) -> Tensor:
    """Sequences [L_i, ...] (lists or arrays) as one tensor [B, L, ...], with `value` after the end of each."""
    tensors = [torch.tensor(sequence, dtype=dtype) for sequence in sequences]
    return pad_sequence(tensors, batch_first=True, padding_value=value)


def pad_inputs(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS of the features, each [B, L] int64; the attention mask is 1 at real tokens."""
    ids, types = ([feature[name] for feature in features] for name in ("input_ids", "token_type_ids"))
    return {
        "input_ids": pad(ids, value=pad_token_id, dtype=torch.long),
        "token_type_ids": pad(types, value=0, dtype=torch.long),
        "attention_mask": pad([[1] * len(sequence) for sequence in ids], value=0, dtype=torch.long),
    }


def output_logits(outputs: Any) -> Tensor:
    """The model's logits, [B, C], or [B, L, C] of one that predicts at each token."""
    return outputs.logits


def cross_entropy(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """Cross-entropy to the gold labels, a mean over the examples that have one; 0 where none has."""
    reduction = "mean" if (labels_N != NO_LABEL).any() else "sum"
    return F.cross_entropy(logits_NC.float(), labels_N, ignore_index=NO_LABEL, reduction=reduction)


def count_examples(labelled_B: Tensor) -> dict[str, Tensor]:
    """`counts` of a kind whose losses are means over examples; `labelled_B` is True where one has a gold label."""
    return {"hard": labelled_B.sum(), "soft": torch.ones_like(labelled_B).sum()}


def pad_teacher_logits(features: list[dict]) -> dict[str, Tensor]:
    """`teacher_logits` of the features, [B, C] or [B, L, C] float32; empty where the features have none."""
    if "teacher_logits" not in features[0]:
        return {}
    logits = [feature["teacher_logits"] for feature in features]
    return {"teacher_logits": pad(logits, value=0.0, dtype=torch.float32)}
