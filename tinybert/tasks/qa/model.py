"""Extractive question answering: encoding, head, losses, decoding. B batch, L length.

A long context is read in overlapping windows; position 0, [CLS], stands for "no answer in this window".
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForQuestionAnswering, BertForQuestionAnswering, BertTokenizer

from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.model.checkpoint import load_with_head
from tinybert.tasks.encoding import (
    NO_LABEL,
    copy_backend,
    count_examples,
    cross_entropy,
    pad_inputs,
    pad_teacher_logits,
)

HEAD = AutoModelForQuestionAnswering
OF_LAST_PIECE = (1,)
IMPOSSIBLE = -1e9  # a logit without probability, finite so that 0 * log 0 stays 0


def build(checkpoint: str | Path, *, labels: list[str], seed: int) -> BertForQuestionAnswering:
    """A finder of answer spans on the BERT in a local folder; a missing head is drawn from `seed`."""
    return load_with_head(BertForQuestionAnswering, checkpoint, seed=seed, num_labels=2)


def encode(
    rows: list[dict], *, tokenizer: BertTokenizer, max_length: int, labels: list[str], doc_stride: int
) -> list[dict]:
    """One feature per window of at most max_length tokens: row, input_ids, token_type_ids, start, end, and for decode:

    offsets [n, 2], the window's context tokens as character ranges of the context; context_start, where in the input
    they begin. start and end: the first answer's first and last token, 0 and 0 where the window does not hold all of
    it, NO_LABEL where the row has no labels. doc_stride: tokens from the start of one window of a context to the start
    of the next; qa/rows.py bounds it, so that windows leave no gap. A question is cut to half of max_length; a context
    that tokenizes to nothing has no feature.
    """
    backend = copy_backend(tokenizer)
    questions = backend.encode_batch_fast([row["question"] for row in rows], add_special_tokens=False)
    contexts = _encode_contexts(rows, backend=backend)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    features = []
    for index, (row, question) in enumerate(zip(rows, questions, strict=True)):
        context_ids, offsets = contexts[row["context"]]
        before = [cls, *question.ids[: max_length // 2], sep]
        first, last = _answer_tokens(row["answers"] or [], offsets=offsets)
        outside = NO_LABEL if row["answers"] is None else 0
        for window in _windows(len(context_ids), room=max_length - len(before) - 1, doc_stride=doc_stride):
            inside = window.start <= first <= last < window.stop
            shift = len(before) - window.start
            features.append(
                {
                    "row": index,
                    "input_ids": [*before, *context_ids[window.start : window.stop], sep],
                    "token_type_ids": [0] * len(before) + [1] * (len(window) + 1),
                    "start": first + shift if inside else outside,
                    "end": last + shift if inside else outside,
                    "context_start": len(before),
                    "offsets": offsets[window.start : window.stop],
                }
            )
    return features


def collate(features: list[dict], *, pad_token_id: int) -> dict[str, Tensor]:
    """MODEL_INPUTS [B, L], start_positions and end_positions [B] int64, and teacher_logits [B, L, 2] where carried."""
    positions = {f"{end}_positions": torch.tensor([feature[end] for feature in features]) for end in ("start", "end")}
    return pad_inputs(features, pad_token_id=pad_token_id) | positions | pad_teacher_logits(features)


def logits(outputs: Any) -> Tensor:
    """The model's logits [B, L, 2] of every token as an answer's start and as its end."""
    return torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)


def counts(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The number of windows of rows with known answers, and of all."""
    return count_examples(batch["start_positions"] != NO_LABEL)


def hard_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of logits [B, L, 2] over real tokens to the gold start and end, the mean of the two.

    Over the windows of rows with known answers; 0 where there are none.
    """
    start_BL, end_BL = _real(logits, batch).unbind(dim=-1)
    start_loss = cross_entropy(start_BL, batch["start_positions"])
    return (start_loss + cross_entropy(end_BL, batch["end_positions"])) / 2


def soft_loss(logits: Tensor, batch: dict[str, Tensor], *, temperature: float) -> Tensor:
    """Cross-entropy of logits [B, L, 2] over real tokens to the teacher's, softened, the mean of start and end."""
    student, teacher = _real(logits, batch).unbind(dim=-1), _real(batch["teacher_logits"], batch).unbind(dim=-1)
    losses = [soft_cross_entropy(*pair, temperature=temperature) for pair in zip(student, teacher, strict=True)]
    return (losses[0] + losses[1]) / 2


def decode(
    logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str], max_answer_length: int,
    unanswerable: bool,
) -> list[str]:  # fmt: skip
    """The best answer to each row's question over all its windows, as the context spells it; logits: [L, 2] a feature.

    The best span is the one with the highest start + end logit among those of at most max_answer_length tokens
    in the context. unanswerable: some questions have no answer, so that a span must also reach the score of [CLS]
    in the window where that is lowest (Devlin et al. 2019, section 4.3), or else the answer is "".
    """
    spans, null_scores = [(-np.inf, "")] * len(rows), [np.inf] * len(rows)
    for scores_L2, feature in zip(logits, features, strict=True):
        row, begin, offsets = feature["row"], feature["context_start"], feature["offsets"]
        score, first, last = _best_span(scores_L2[begin : begin + len(offsets)], max_answer_length=max_answer_length)
        null_scores[row] = min(null_scores[row], float(scores_L2[0].sum()))
        if score > spans[row][0]:
            spans[row] = (score, rows[row]["context"][offsets[first, 0] : offsets[last, 1]])
    return [
        "" if unanswerable and null_score > score else answer
        for (score, answer), null_score in zip(spans, null_scores, strict=True)
    ]


def class_logits(logits: list[np.ndarray], *, features: list[dict]) -> None:
    """None: an answer is a pair of positions among all windows, whose probabilities no one distribution holds."""


def _encode_contexts(rows: list[dict], *, backend: Any) -> dict[str, tuple[list[int], np.ndarray]]:
    """Token ids and character offsets [n, 2] of every context once: many questions share one."""
    contexts = list(dict.fromkeys(row["context"] for row in rows))
    encodings = backend.encode_batch(contexts, add_special_tokens=False)
    return {
        context: (encoding.ids, np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2))
        for context, encoding in zip(contexts, encodings, strict=True)
    }


def _answer_tokens(answers: list[dict], *, offsets: np.ndarray) -> tuple[int, int]:
    """First and last token of the first answer, those that share a character with it; (-1, -1) without an answer."""
    if not answers:
        return -1, -1
    begin, stop = answers[0]["start"], answers[0]["start"] + len(answers[0]["text"])
    first = int(np.searchsorted(offsets[:, 1], begin, side="right"))
    return first, int(np.searchsorted(offsets[:, 0], stop, side="left")) - 1


def _windows(num_tokens: int, *, room: int, doc_stride: int) -> list[range]:
    """Ranges of at most `room` tokens, doc_stride apart, up to the first that reaches the end; none of no tokens."""
    if num_tokens == 0:
        return []
    num_steps = max(0, -(-(num_tokens - room) // doc_stride))
    return [range(start * doc_stride, min(start * doc_stride + room, num_tokens)) for start in range(num_steps + 1)]


def _best_span(scores_L2: np.ndarray, *, max_answer_length: int) -> tuple[float, int, int]:
    """Score, first and last token of the span with the highest start + end score."""
    end_L = np.concatenate([scores_L2[:, 1], np.full(max_answer_length - 1, -np.inf, dtype=scores_L2.dtype)])
    ends_LA = np.lib.stride_tricks.sliding_window_view(end_L, max_answer_length)
    totals_LA = scores_L2[:, :1] + ends_LA
    first, more = divmod(int(totals_LA.argmax()), max_answer_length)
    return float(totals_LA[first, more]), first, first + more


def _real(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Logits [B, L, 2] in float32 without probability at padding."""
    return logits.float().masked_fill(batch["attention_mask"].unsqueeze(-1) == 0, IMPOSSIBLE)
