"""The first phase of TinyBERT's task distillation: inner states on a task's own texts. B batch, L length."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import nn
from transformers import BertModel

from tinybert.distillation.deviations import BATCHES, channel_deviations
from tinybert.distillation.intermediate import Compared, IntermediateDistillation
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
        layers, values = range(self.bert.config.num_hidden_layers), self.intermediate.takes_values
        with capture(self.bert, layers, values=values) as states:
            self.bert(**model_inputs(batch))
        return self.intermediate(states, batch["teacher"], _compared(batch))

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The number of elements that each loss is the mean of, scalars."""
        return self.intermediate.counts(_compared(batch))


def _compared(batch: Batch) -> Compared:
    """The tokens and pairs of tokens without padding; each row is one document, which starts with [CLS]."""
    real_BL = batch["attention_mask"].bool()
    starts_BL = torch.zeros_like(real_BL)
    starts_BL[:, 0] = True
    visible_B1LL = real_BL[:, None, :, None] & real_BL[:, None, None, :]
    return Compared(real_BL, starts_BL, visible_B1LL)


def task_targets(
    teacher: nn.Module, batch: Batch, *, layers: Sequence[int], autocast: Callable[..., AbstractContextManager],
    values: bool = False,
) -> States:  # fmt: skip
    """The States of a fine-tuned teacher's `layers` for a batch of its task's rows. `teacher` is in eval mode.

    `values` are those of `capture`.
    """
    assert not teacher.training
    bert = _encoder(teacher)
    with torch.inference_mode(), autocast(), capture(bert, layers, values=values) as states:
        bert(**model_inputs(batch))
    return states.cloned()


def task_deviations(
    teacher: nn.Module, batches: Callable[[int], Batch], *, layers: Sequence[int],
    autocast: Callable[..., AbstractContextManager],
) -> torch.Tensor:  # fmt: skip
    """`channel_deviations` of a fine-tuned teacher on the first of `batches`, which are the same in every process."""
    first = (batches(step) for step in range(BATCHES))
    states = ((task_targets(teacher, batch, layers=layers, autocast=autocast), batch["attention_mask"].bool())
              for batch in first)  # fmt: skip
    return channel_deviations(states, layers=layers)


def _encoder(model: nn.Module) -> BertModel:
    bert = model.get_submodule("bert")
    assert isinstance(bert, BertModel)
    return bert
