"""Named entities, one tag per word: head, batches and losses. B batch, L length, C tags.

A word's tag is learnt and predicted at its first word piece.
"""

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification, BertForTokenClassification

from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.model.checkpoint import label_config, load_with_head
from tinybert.tasks.batches import cross_entropy, output_logits, pad, pad_inputs, pad_teacher_logits
from tinybert.tasks.encoding import NO_LABEL
from tinybert.tasks.ner.encoding import NO_TAG

HEAD = AutoModelForTokenClassification
OF_LAST_PIECE = ()
logits = output_logits


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForTokenClassification:
    """A tagger of these tags on the BERT in a local folder; a missing head is drawn from `seed`."""
    return load_with_head(BertForTokenClassification, checkpoint, seed=seed, **label_config(labels))


def collate(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS [B, L], labels [B, L] int64, and teacher_logits [B, L, C] where the features carry them."""
    labels_BL = pad([feature["label"] for feature in features], value=NO_TAG, dtype=torch.long)
    return pad_inputs(features, pad_token_id=pad_token_id) | {"labels": labels_BL} | pad_teacher_logits(features)


def counts(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The number of words with a gold tag, and of all."""
    words_BL = batch["labels"] != NO_TAG
    return {"hard": (words_BL & (batch["labels"] != NO_LABEL)).sum(), "soft": words_BL.sum()}


def hard_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of logits [B, L, C] to the gold tags, a mean over the words that have one."""
    words_BL = batch["labels"] != NO_TAG
    return cross_entropy(logits[words_BL], batch["labels"][words_BL])


def soft_loss(logits: Tensor, batch: dict[str, Tensor], *, temperature: float) -> Tensor:
    """Cross-entropy of logits [B, L, C] to the teacher's, softened, a mean over words."""
    words_BL = batch["labels"] != NO_TAG
    return soft_cross_entropy(logits[words_BL], batch["teacher_logits"][words_BL], temperature=temperature)
