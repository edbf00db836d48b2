"""Regression on a text or a pair of texts: head, batches and losses. B batch."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

from tinybert.distillation.soft_targets import soft_squared_error
from tinybert.model.checkpoint import label_config, load_with_head
from tinybert.tasks.batches import count_examples, output_logits, pad_inputs, pad_teacher_logits

HEAD = AutoModelForSequenceClassification
OF_LAST_PIECE = ()
logits = output_logits


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForSequenceClassification:
    """A model with one output on the BERT in a local folder; a missing head is drawn from `seed`."""
    config = label_config(["score"]) | {"problem_type": "regression"}
    return load_with_head(BertForSequenceClassification, checkpoint, seed=seed, **config)


def collate(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS [B, L], labels [B] float32, and teacher_logits [B, 1] where the features carry them."""
    labels_B = torch.tensor([feature["label"] for feature in features], dtype=torch.float32)
    return pad_inputs(features, pad_token_id=pad_token_id) | {"labels": labels_B} | pad_teacher_logits(features)


def counts(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The number of examples with a gold score, and of all."""
    return count_examples(~batch["labels"].isnan())


def hard_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Mean squared error of the scores [B, 1] to the gold scores, over the examples that have one; 0 where none has."""
    labelled_B = ~batch["labels"].isnan()
    reduction = "mean" if labelled_B.any() else "sum"
    return F.mse_loss(logits.float().squeeze(-1)[labelled_B], batch["labels"][labelled_B], reduction=reduction)


def soft_loss(logits: Tensor, batch: dict[str, Tensor], *, temperature: float) -> Tensor:
    """Mean squared error of the scores [B, 1] to the teacher's, over examples; a score has no temperature."""
    return soft_squared_error(logits, batch["teacher_logits"])
