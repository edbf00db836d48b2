"""The first phase of TinyBERT's task distillation: inner states on a task's own texts. B batch, L length."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import nn
from transformers import BertModel

from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.teacher import States, capture
from tinybert.model.inputs import Batch, model_inputs


class TaskIntermediateDistillation(nn.Module):
    """Intermediate distillation of the encoder under a task's head; the head does not train."""

    def __init__(self, model: nn.Module, intermediate: IntermediateDistillation) -> None:
        super().__init__()
        self.bert, self.intermediate = _encoder(model), intermediate
        if self.bert.pooler is not None:
            self.bert.pooler.requires_grad_(False)

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The weighted losses of a batch with its `task_targets` as "teacher"."""
        with capture(self.bert, range(self.bert.config.num_hidden_layers)) as states:
            self.bert(**model_inputs(batch))
        return self.intermediate(states, batch["teacher"], **_compared(batch))

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The number of elements that each loss is the mean of, scalars."""
        return self.intermediate.counts(**_compared(batch))


def _compared(batch: Batch) -> dict[str, torch.Tensor]:
    """The tokens and pairs of tokens without padding."""
    real_BL = batch["attention_mask"].bool()
    return {"real_BL": real_BL, "visible_B1LL": real_BL[:, None, :, None] & real_BL[:, None, None, :]}


def task_targets(
    teacher: nn.Module, batch: Batch, *, layers: Sequence[int], autocast: Callable[..., AbstractContextManager]
) -> States:
    """The States of a fine-tuned teacher's `layers` for a batch of its task's rows. `teacher` is in eval mode."""
    assert not teacher.training
    bert = _encoder(teacher)
    with torch.inference_mode(), autocast(), capture(bert, layers) as states:
        bert(**model_inputs(batch))
    return states.cloned()


def _encoder(model: nn.Module) -> BertModel:
    bert = model.get_submodule("bert")
    assert isinstance(bert, BertModel)
    return bert
