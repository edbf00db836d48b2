"""Text as token ids, and features of unequal length as one batch. B batch, C classes, L the longest feature."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import BertTokenizer

NO_LABEL = -1
"""The gold label of an example that has none, which no hard loss counts."""


def copy_backend(tokenizer: BertTokenizer) -> Tokenizer:
    """The tokenizer's backend without truncation and padding.

    A copy, since these are state of a backend: a tokenizer saved later must not carry what an encoding set.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    return backend


def encode_texts(rows: list[dict], *, tokenizer: BertTokenizer, max_length: int) -> list[dict]:
    """One feature per row: `row` (its index), `input_ids` and `token_type_ids`, at most max_length tokens.

    [CLS] text [SEP], or [CLS] text [SEP] text_pair [SEP]; of a pair that is too long the longer text is cut first.
    """
    backend = copy_backend(tokenizer)
    backend.enable_truncation(max_length, strategy="longest_first")
    texts = [row["text"] if row["text_pair"] is None else (row["text"], row["text_pair"]) for row in rows]
    return [
        {"row": index, "input_ids": encoding.ids, "token_type_ids": encoding.type_ids}
        for index, encoding in enumerate(backend.encode_batch_fast(texts))
    ]


def pad(sequences: Sequence, *, value: float, dtype: torch.dtype) -> Tensor:
    """Sequences [L_i, ...] (lists or arrays) as one tensor [B, L, ...], with `value` after the end of each."""
    tensors = [torch.tensor(sequence, dtype=dtype) for sequence in sequences]
    return pad_sequence(tensors, batch_first=True, padding_value=value)


def pad_inputs(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS of the features, each [B, L] int64; the attention mask is 1 at real tokens."""
    ids, types = ([feature[name] for feature in features] for name in ("input_ids", "token_type_ids"))
    return {
        "input_ids": pad(ids, value=pad_token_id, dtype=torch.long),
        "token_type_ids": pad(types, value=0, dtype=torch.long),
        "attention_mask": pad([[1] * len(sequence) for sequence in ids], value=0, dtype=torch.long),
    }


def output_logits(outputs: Any) -> Tensor:
    """The model's logits, [B, C], or [B, L, C] of one that predicts at each token."""
    return outputs.logits


def cross_entropy(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """Cross-entropy to the gold labels, a mean over the examples that have one; 0 where none has."""
    reduction = "mean" if (labels_N != NO_LABEL).any() else "sum"
    return F.cross_entropy(logits_NC.float(), labels_N, ignore_index=NO_LABEL, reduction=reduction)


def count_examples(labelled_B: Tensor) -> dict[str, Tensor]:
    """`counts` of a kind whose losses are means over examples; `labelled_B` is True where one has a gold label."""
    return {"hard": labelled_B.sum(), "soft": torch.ones_like(labelled_B).sum()}


def pad_teacher_logits(features: list[dict]) -> dict[str, Tensor]:
    """`teacher_logits` of the features, [B, C] or [B, L, C] float32; empty where the features have none."""
    if "teacher_logits" not in features[0]:
        return {}
    logits = [feature["teacher_logits"] for feature in features]
    return {"teacher_logits": pad(logits, value=0.0, dtype=torch.float32)}
