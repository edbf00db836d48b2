"""Classification of a text or a pair of texts: head, batches and losses. B batch, C classes."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.model.checkpoint import label_config, load_with_head
from tinybert.tasks.batches import count_examples, cross_entropy, output_logits, pad_inputs, pad_teacher_logits
from tinybert.tasks.encoding import NO_LABEL

HEAD = AutoModelForSequenceClassification
OF_LAST_PIECE = ()
logits = output_logits


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForSequenceClassification:
    """A classifier of these labels on the BERT in a local folder; a missing head is drawn from `seed`."""
    config = label_config(labels) | {"problem_type": "single_label_classification"}
    return load_with_head(BertForSequenceClassification, checkpoint, seed=seed, **config)


def collate(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS [B, L], labels [B] int64, and teacher_logits [B, C] where the features carry them."""
    labels_B = torch.tensor([feature["label"] for feature in features])
    return pad_inputs(features, pad_token_id=pad_token_id) | {"labels": labels_B} | pad_teacher_logits(features)


def counts(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The number of examples with a label, and of all."""
    return count_examples(batch["labels"] != NO_LABEL)


def hard_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of logits [B, C] to the gold labels, a mean over the examples that have one."""
    return cross_entropy(logits, batch["labels"])


def soft_loss(logits: Tensor, batch: dict[str, Tensor], *, temperature: float) -> Tensor:
    """Cross-entropy of logits [B, C] to the teacher's, softened, a mean over examples (see soft_cross_entropy)."""
    return soft_cross_entropy(logits, batch["teacher_logits"], temperature=temperature)
