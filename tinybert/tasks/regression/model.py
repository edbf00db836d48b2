"""Regression on a text or a pair of texts: encoding, head, losses, decoding. B batch."""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification, BertTokenizer

from tinybert.distillation.soft_targets import soft_squared_error
from tinybert.model.checkpoint import label_config, load_with_head
from tinybert.tasks.encoding import count_examples, encode_texts, output_logits, pad_inputs, pad_teacher_logits

HEAD = AutoModelForSequenceClassification
OF_LAST_PIECE = ()
logits = output_logits


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForSequenceClassification:
    """A model with one output on the BERT in a local folder; a missing head is drawn from `seed`."""
    config = label_config(["score"]) | {"problem_type": "regression"}
    return load_with_head(BertForSequenceClassification, checkpoint, seed=seed, **config)


def encode(rows: list[dict], *, tokenizer: BertTokenizer, max_length: int, labels: list[str]) -> list[dict]:
    """One feature per row: row, input_ids, token_type_ids, and label, the gold score, NaN where there is none."""
    features = encode_texts(rows, tokenizer=tokenizer, max_length=max_length)
    scores = [math.nan if row["label"] is None else row["label"] for row in rows]
    return [feature | {"label": score} for feature, score in zip(features, scores, strict=True)]


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


def decode(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[float]:
    """The score of each row, in the rows' order; logits: one [1] per feature."""
    scores = {feature["row"]: float(score[0]) for feature, score in zip(features, logits, strict=True)}
    return [scores[index] for index in range(len(rows))]


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> None:
    """None: a score has no probability."""
