"""TinyBERT's general distillation, as a module: batch in, named scalar losses out."""

from typing import Any

import torch
from torch import nn
from transformers import BertForPreTraining

from stages.model.states import capture
from stages.training.imitation import Imitation
from stages.training.losses import prediction_loss
from stages.training.masked_words import count_of, encode_blocks, freeze_unused_heads, predict_masked

Batch = dict[str, Any]


class GeneralDistillation(nn.Module):
    """TinyBERT's general distillation on masked blocks, with the soft predictions of masked words if wanted."""

    def __init__(
        self, student: BertForPreTraining, imitation: Imitation, *, prediction: float, temperature: float
    ) -> None:
        super().__init__()
        self.student, self.imitation = student, imitation
        self._prediction, self._temperature = prediction, temperature
        freeze_unused_heads(student)
        if not prediction:
            student.cls.requires_grad_(False)
            student.bert.embeddings.requires_grad_(True)  # the output layer shares the word embeddings

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """`batch` holds the teacher's states as "teacher" and, if they count, its logits [M, V] as "teacher_logits"."""
        with capture(self.student.bert, range(self.student.config.num_hidden_layers)) as states:
            hidden_BLH = encode_blocks(self.student.bert, batch)
        losses = self.imitation(states, batch["teacher"], **_real(batch))
        if self._prediction:
            student_MV = predict_masked(self.student, hidden_BLH, batch)
            loss = prediction_loss(student_MV, batch["teacher_logits"], temperature=self._temperature)
            losses["prediction"] = loss * self._prediction
        return losses

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Of how many things each loss is the mean, scalars."""
        return self.imitation.counts(**_real(batch)) | {"prediction": count_of(batch["predicted"])}


def _real(batch: Batch) -> dict[str, torch.Tensor]:
    """What is compared: every token, since blocks have no padding, and every pair in one document."""
    return {"real_BL": torch.ones_like(batch["input_ids"], dtype=torch.bool), "visible_B1LL": batch["visible"]}
