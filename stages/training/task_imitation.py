"""The first phase of task distillation, as a module: batch in, named scalar losses out. B batch, L length."""

from typing import Any

import torch
from torch import nn

from stages.model.states import States, capture
from stages.training.imitation import Imitation
from stages.training.task_prediction import Batch, inputs


class TaskImitation(nn.Module):
    """TinyBERT's first phase of task distillation: inner states on the task's own texts. The head does not train."""

    def __init__(self, model: Any, imitation: Imitation) -> None:
        super().__init__()
        self.bert, self.imitation = model.bert, imitation
        if self.bert.pooler is not None:
            self.bert.pooler.requires_grad_(False)

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """`batch` holds the teacher's states as "teacher"."""
        with capture(self.bert, range(self.bert.config.num_hidden_layers)) as states:
            self.bert(**inputs(batch))
        return self.imitation(states, batch["teacher"], **_real(batch))

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Of how many things each loss is the mean, scalars."""
        return self.imitation.counts(**_real(batch))


def _real(batch: Batch) -> dict[str, torch.Tensor]:
    """What is compared: tokens and pairs of tokens that are no padding."""
    real_BL = batch["attention_mask"].bool()
    return {"real_BL": real_BL, "visible_B1LL": real_BL[:, None, :, None] & real_BL[:, None, None, :]}


def show_rows(teacher: Any, batch: Batch, *, layers: list[int], autocast: Any) -> States:
    """A fine-tuned teacher's states at `layers`, for a batch of its task's rows. `teacher` is in eval mode."""
    assert not teacher.training
    with torch.inference_mode(), autocast(), capture(teacher.bert, layers) as states:
        teacher.bert(**inputs(batch))
    return states.cloned()
