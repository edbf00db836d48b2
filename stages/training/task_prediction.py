"""What fine-tuning minimises, as a module: batch in, named scalar losses out."""

from typing import Any

import torch
from torch import nn

Batch = dict[str, Any]
INPUTS = ("input_ids", "token_type_ids", "attention_mask")


class TaskPrediction(nn.Module):
    """Gold labels, the teacher's predictions, or both: `hard` and `soft` are their weights.

    `kind` is a module of stages.tasks. With `soft`, the batch holds "teacher_logits".
    """

    def __init__(self, model: nn.Module, kind: Any, *, hard: float, soft: float, temperature: float) -> None:
        super().__init__()
        self.model = model.requires_grad_(True)  # also the pooler, which imitating inner states leaves alone
        self._kind, self._hard, self._soft, self._temperature = kind, hard, soft, temperature

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        logits = self._kind.logits(self.model(**inputs(batch)))
        losses: dict[str, torch.Tensor] = {}
        if self._hard:
            losses["hard"] = self._hard * self._kind.hard_loss(logits, batch)
        if self._soft:
            losses["soft"] = self._soft * self._kind.soft_loss(logits, batch, temperature=self._temperature)
        return losses

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Of how many examples each loss is the mean, scalars."""
        count = self._kind.count(batch)
        return {"hard": count, "soft": count}


def inputs(batch: Batch) -> dict[str, torch.Tensor]:
    return {name: batch[name] for name in INPUTS}
