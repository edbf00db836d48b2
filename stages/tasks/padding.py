"""Features of unequal length as the tensors of one batch. B batch, L the longest feature of the batch."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

MODEL_INPUTS = ("input_ids", "token_type_ids", "attention_mask")


def pad(sequences: Sequence, *, value: float, dtype: torch.dtype) -> Tensor:
    """Sequences [L_i, ...] (lists or arrays) as one tensor [B, L, ...] with `value` after each one's end."""
    return pad_sequence([torch.tensor(one, dtype=dtype) for one in sequences], batch_first=True, padding_value=value)


def pad_inputs(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS of the features, each [B, L] int64; the attention mask is 1 at real tokens."""
    return {
        "input_ids": pad([one["input_ids"] for one in features], value=pad_token_id, dtype=torch.long),
        "token_type_ids": pad([one["token_type_ids"] for one in features], value=0, dtype=torch.long),
        "attention_mask": pad([[1] * len(one["input_ids"]) for one in features], value=0, dtype=torch.long),
    }


def pad_teacher_logits(features: list[dict]) -> dict[str, Tensor]:
    """`teacher_logits` of the features, [B, C] or [B, L, C] float32; nothing where the features have none."""
    if "teacher_logits" not in features[0]:
        return {}
    return {"teacher_logits": pad([one["teacher_logits"] for one in features], value=0.0, dtype=torch.float32)}
