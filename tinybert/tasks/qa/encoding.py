"""Extractive question answering: what a model reads, and what its logits say. L length.

A long context is read in overlapping windows; position 0, [CLS], stands for "no answer in this window".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tinybert.tasks.encoding import NO_LABEL, cls_and_sep, copy_backend, softmax, strings


@dataclass(frozen=True)
class Answer:
    """A span of a context, in characters, its logit and its probability in its window; all 0 without an answer."""

    text: str
    start: int = 0
    end: int = 0
    logit: float = -np.inf
    score: float = 0.0


def to_row(request: Any, *, tokenizer: Tokenizer) -> dict:
    """A row without answers, of an object with `question` and `context`. Raises InputError for anything else."""
    return strings(request, required=("question", "context")) | {"answers": None}


def encode(
    rows: list[dict], *, tokenizer: Tokenizer, max_length: int, labels: list[str], doc_stride: int
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
    cls, sep = cls_and_sep(backend)
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


def decode(
    logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str], max_answer_length: int,
    unanswerable: bool,
) -> list[str]:  # fmt: skip
    """The best answer to each row's question over all its windows, as the context spells it; logits: [L, 2] a feature.

    The best span is the one with the highest start + end logit among those of at most max_answer_length tokens
    in the context. unanswerable: some questions have no answer, so that a span must also reach the score of [CLS]
    in the window where that is lowest (Devlin et al. 2019, section 4.3), or else the answer is "".
    """
    options = {"max_answer_length": max_answer_length, "unanswerable": unanswerable}
    return [answer.text for answer in _answers(logits, features=features, rows=rows, **options)]


def results(
    logits: list[np.ndarray], *, features: list[dict], rows: list[dict], labels: list[str], max_answer_length: int,
    unanswerable: bool,
) -> list[dict]:  # fmt: skip
    """Of each row `answer`, its `start` and `end` in characters of the context, and `score`, its probability.

    The probability is that of the start times that of the end, among all tokens of the answer's window.
    """
    options = {"max_answer_length": max_answer_length, "unanswerable": unanswerable}
    return [
        {"answer": answer.text, "start": answer.start, "end": answer.end, "score": answer.score}
        for answer in _answers(logits, features=features, rows=rows, **options)
    ]


def _answers(
    logits: list[np.ndarray], *, features: list[dict], rows: list[dict], max_answer_length: int, unanswerable: bool
) -> list[Answer]:
    best, null_scores = [Answer("")] * len(rows), [np.inf] * len(rows)
    for scores_L2, feature in zip(logits, features, strict=True):
        row = feature["row"]
        null_scores[row] = min(null_scores[row], float(scores_L2[0].sum()))
        found = _best_answer(scores_L2, feature, rows[row]["context"], max_answer_length=max_answer_length)
        best[row] = max(best[row], found, key=lambda answer: answer.logit)
    return [
        Answer("") if unanswerable and null_score > answer.logit else answer
        for answer, null_score in zip(best, null_scores, strict=True)
    ]


def _best_answer(scores_L2: np.ndarray, feature: dict, context: str, *, max_answer_length: int) -> Answer:
    begin, offsets = feature["context_start"], feature["offsets"]
    logit, first, last = _best_span(scores_L2[begin : begin + len(offsets)], max_answer_length=max_answer_length)
    p_2L = softmax(scores_L2.T)
    start, end = int(offsets[first, 0]), int(offsets[last, 1])
    return Answer(context[start:end], start, end, logit, float(p_2L[0, begin + first] * p_2L[1, begin + last]))


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
