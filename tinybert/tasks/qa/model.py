"""Extractive question answering: head, batches and losses. B batch, L length.

A long context is read in overlapping windows; position 0, [CLS], stands for "no answer in this window".
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForQuestionAnswering, BertForQuestionAnswering

from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.model.checkpoint import load_with_head
from tinybert.tasks.batches import count_examples, cross_entropy, pad_inputs, pad_teacher_logits
from tinybert.tasks.encoding import NO_LABEL

HEAD = AutoModelForQuestionAnswering
OF_LAST_PIECE = (1,)
IMPOSSIBLE = -1e9  # a logit without probability, finite so that 0 * log 0 stays 0


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForQuestionAnswering:
    """A finder of answer spans on the BERT in a local folder; a missing head is drawn from `seed`."""
    return load_with_head(BertForQuestionAnswering, checkpoint, seed=seed, num_labels=2)


def collate(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS [B, L], start_positions and end_positions [B] int64, and teacher_logits [B, L, 2] where carried."""
    positions = {f"{end}_positions": torch.tensor([feature[end] for feature in features]) for end in ("start", "end")}
    return pad_inputs(features, pad_token_id=pad_token_id) | positions | pad_teacher_logits(features)


def logits(outputs: Any) -> Tensor:
    """The model's logits [B, L, 2] of every token as an answer's start and as its end."""
    return torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)


def counts(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The number of windows of rows with known answers, and of all."""
    return count_examples(batch["start_positions"] != NO_LABEL)


def hard_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of logits [B, L, 2] over real tokens to the gold start and end, the mean of the two.

    Over the windows of rows with known answers; 0 where there are none.
    """
    start_BL, end_BL = _real(logits, batch).unbind(dim=-1)
    start_loss = cross_entropy(start_BL, batch["start_positions"])
    return (start_loss + cross_entropy(end_BL, batch["end_positions"])) / 2


def soft_loss(logits: Tensor, batch: dict[str, Tensor], *, temperature: float) -> Tensor:
    """Cross-entropy of logits [B, L, 2] over real tokens to the teacher's, softened, the mean of start and end."""
    student, teacher = _real(logits, batch).unbind(dim=-1), _real(batch["teacher_logits"], batch).unbind(dim=-1)
    losses = [soft_cross_entropy(*pair, temperature=temperature) for pair in zip(student, teacher, strict=True)]
    return (losses[0] + losses[1]) / 2


def _real(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Logits [B, L, 2] in float32 without probability at padding."""
    return logits.float().masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, IMPOSSIBLE)
