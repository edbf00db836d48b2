"""Classification of a text or a pair of texts: encoding, head, losses, decoding. B batch, C classes."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification, BertTokenizer

from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.model.checkpoint import label_config, load_with_head
from tinybert.tasks.encoding import (
    NO_LABEL,
    count_examples,
    cross_entropy,
    encode_texts,
    output_logits,
    pad_inputs,
    pad_teacher_logits,
)

HEAD = AutoModelForSequenceClassification
OF_LAST_PIECE = ()
logits = output_logits


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForSequenceClassification:
    """A classifier of these labels on the BERT in a local folder; a missing head is drawn from `seed`."""
    config = label_config(labels) | {"problem_type": "single_label_classification"}
    return load_with_head(BertForSequenceClassification, checkpoint, seed=seed, **config)


def encode(rows: list[dict], *, tokenizer: BertTokenizer, max_length: int, labels: list[str]) -> list[dict]:
    """One feature per row: row, input_ids, token_type_ids, and label, an index into `labels`, or NO_LABEL."""
    indices = {None: NO_LABEL} | {label: index for index, label in enumerate(labels)}
    features = encode_texts(rows, tokenizer=tokenizer, max_length=max_length)
    return [feature | {"label": indices[row["label"]]} for feature, row in zip(features, rows, strict=True)]


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


def decode(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[str]:
    """The most probable label of each row, in the rows' order; logits: one [C] per feature."""
    best = {feature["row"]: int(scores.argmax()) for feature, scores in zip(features, logits, strict=True)}
    return [labels[best[index]] for index in range(len(rows))]


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Logits [B, C] and gold labels [B] of the features."""
    return np.stack(logits), np.array([feature["label"] for feature in features])
