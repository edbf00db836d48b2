"""Multi-label classification: head, batches and losses. B batch, C labels."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

from tinybert.distillation.soft_targets import soft_binary_cross_entropy
from tinybert.model.checkpoint import label_config, load_with_head
from tinybert.tasks.batches import count_examples, output_logits, pad_inputs, pad_teacher_logits

HEAD = AutoModelForSequenceClassification
OF_LAST_PIECE = ()
logits = output_logits


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForSequenceClassification:
    """A model with an output for each label on the BERT in a local folder; a missing head is drawn from `seed`."""
    config = label_config(labels) | {"problem_type": "multi_label_classification"}
    return load_with_head(BertForSequenceClassification, checkpoint, seed=seed, **config)


def collate(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS [B, L], labels [B, C] float32, and teacher_logits [B, C] where the features carry them."""
    labels_BC = torch.tensor([feature["label"] for feature in features], dtype=torch.float32)
    return pad_inputs(features, pad_token_id=pad_token_id) | {"labels": labels_BC} | pad_teacher_logits(features)


def counts(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The number of examples with known labels, and of all."""
    return count_examples(_labelled(batch))


def hard_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Binary cross-entropy of logits [B, C], a mean over labels and the examples whose labels are known; 0 without."""
    labelled_B = _labelled(batch)
    reduction = "mean" if labelled_B.any() else "sum"
    labels_NC = batch["labels"][labelled_B]
    return F.binary_cross_entropy_with_logits(logits.float()[labelled_B], labels_NC, reduction=reduction)


def soft_loss(logits: Tensor, batch: dict[str, Tensor], *, temperature: float) -> Tensor:
    """Binary cross-entropy of logits [B, C] to the teacher's, softened, a mean over labels and examples."""
    return soft_binary_cross_entropy(logits, batch["teacher_logits"], temperature=temperature)


def _labelled(batch: dict[str, Tensor]) -> Tensor:
    return ~batch["labels"].isnan().any(dim=-1)
