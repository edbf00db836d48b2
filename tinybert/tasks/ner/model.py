"""Named entities, one tag per word: encoding, head, losses, decoding. B batch, L length, C tags.

A word's tag is learnt and predicted at its first word piece; a long sentence is cut between words.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification, BertForTokenClassification, BertTokenizer

from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.model.checkpoint import label_config, load_with_head
from tinybert.tasks.encoding import (
    NO_LABEL,
    copy_backend,
    cross_entropy,
    output_logits,
    pad,
    pad_inputs,
    pad_teacher_logits,
)

HEAD = AutoModelForTokenClassification
OF_LAST_PIECE = ()
logits = output_logits
NO_TAG = -100
"""The label of a token that no tag is predicted at; that of a word without a gold tag is NO_LABEL."""
NO_WORD = -1
Word = tuple[int, list[int]]
"""The index of a word, and the ids of its pieces."""


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForTokenClassification:
    """A tagger of these tags on the BERT in a local folder; a missing head is drawn from `seed`."""
    return load_with_head(BertForTokenClassification, checkpoint, seed=seed, **label_config(labels))


def encode(rows: list[dict], *, tokenizer: BertTokenizer, max_length: int, labels: list[str]) -> list[dict]:
    """One feature per window of at most max_length tokens: row, input_ids, token_type_ids, and two lists beside them.

    word: the index of the word whose first piece stands there, elsewhere -1; label: its tag's index in `labels`, or
    NO_LABEL, elsewhere NO_TAG. Every feature has a word: a row whose words all tokenize to nothing has no feature.
    """
    indices = {label: index for index, label in enumerate(labels)}
    cls, sep, room = tokenizer.cls_token_id, tokenizer.sep_token_id, max_length - 2
    encodings = copy_backend(tokenizer).encode_batch(
        [row["words"] for row in rows], is_pretokenized=True, add_special_tokens=False
    )
    features = []
    for index, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
        for window in _windows(_pieces_by_word(encoding), room=room):
            ids = [cls, *(piece for _, pieces in window for piece in pieces), sep]
            word = [NO_WORD, *_word_of_piece(window), NO_WORD]
            tags = [NO_LABEL] * len(row["words"]) if row["tags"] is None else [indices[tag] for tag in row["tags"]]
            label = [NO_TAG if number == NO_WORD else tags[number] for number in word]
            features.append(
                {"row": index, "input_ids": ids, "token_type_ids": [0] * len(ids), "word": word, "label": label}
            )
    return features


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


def decode(logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str]) -> list[list[str]]:
    """The most probable tag of every word, O for one without pieces (a zero-width character); logits: [L, C] each."""
    tags = [["O"] * len(row["words"]) for row in rows]
    for scores_LC, feature in zip(logits, features, strict=True):
        for word, best in zip(feature["word"], scores_LC.argmax(axis=-1).tolist(), strict=True):
            if word != NO_WORD:
                tags[feature["row"]][word] = labels[best]
    return tags


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, C] and gold tags [N] of all labelled tokens; most of them have the tag O in most data."""
    label_N = np.concatenate([feature["label"] for feature in features])
    labelled_N = label_N != NO_TAG
    return np.concatenate(logits)[labelled_N], label_N[labelled_N]


def _pieces_by_word(encoding: Any) -> list[Word]:
    """The words that have pieces, in order."""
    words: dict[int, list[int]] = {}
    for piece, word in zip(encoding.ids, encoding.word_ids, strict=True):
        words.setdefault(word, []).append(piece)
    return list(words.items())


def _windows(words: list[Word], *, room: int) -> list[list[Word]]:
    """Words cut into windows of at most `room` pieces; of a longer word the first pieces stay."""
    windows: list[list[Word]] = []
    free = 0
    for word, pieces in words:
        kept = pieces[:room]
        if len(kept) > free:
            windows.append([])
            free = room
        windows[-1].append((word, kept))
        free -= len(kept)
    return windows


def _word_of_piece(window: list[Word]) -> list[int]:
    """For each piece its word's index, or NO_WORD where it is not the word's first piece."""
    return [index for word, pieces in window for index in [word] + [NO_WORD] * (len(pieces) - 1)]
