"""What a teacher shows: its inner states and predictions, computed without gradients and without dropout."""

from collections.abc import Sequence

import torch
from transformers import BertForPreTraining

from stages.model.states import capture
from stages.training.masked_words import Batch, encode_blocks, predict_masked


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
