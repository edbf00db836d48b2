"""What a teacher shows: its inner states and predictions, computed without gradients and without dropout."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from transformers import BertForPreTraining

from stages.model.states import capture
from stages.training.masked_words import Batch, encode_blocks, predict_masked


def rounded_once(teacher: Any, accelerator: Any) -> Any:
    """The teacher as autocast computes it, bit for bit, without rounding all of its matrices again in every step.

    In float32 it is `teacher` itself, else a copy that computes under autocast only.
    """
    if accelerator.mixed_precision != "bf16":
        return teacher
    rounded = deepcopy(teacher)
    for module in rounded.modules():
        if isinstance(module, nn.Linear):
            # Not in place: the output layer shares its matrix with the word embeddings, which are not rounded.
            for name, weight in [*module.named_parameters(recurse=False)]:
                setattr(module, name, nn.Parameter(weight.detach().bfloat16(), requires_grad=False))
    return rounded


def show_blocks(
    teacher: BertForPreTraining, batch: Batch, *, layers: Sequence[int], predictions: bool, autocast
) -> Batch:
    """What a teacher adds to a batch: "teacher", its states at `layers`; if `predictions`, "teacher_logits" [M, V].

    `teacher` is in eval mode. Computed in inference mode and cloned, since autograd keeps no tensor made there.
    """
    assert not teacher.training
    with torch.inference_mode(), autocast(), capture(teacher.bert, layers) as states:
        hidden_BLH = encode_blocks(teacher.bert, batch)
        logits = {"teacher_logits": predict_masked(teacher, hidden_BLH, batch)} if predictions else {}
    return {"teacher": states.cloned(), **{name: tensor.clone() for name, tensor in logits.items()}}
