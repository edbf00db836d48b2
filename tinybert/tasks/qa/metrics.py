"""Metrics of predicted answers, as the evaluation of SQuAD 2.0 defines them (Rajpurkar et al. 2016, 2018).

They are those of SQuAD 1.1 where every question has an answer that is more than articles and punctuation.
B resamples, N rows.
"""

import re
import string
from collections import Counter
from typing import Any

import numpy as np

NAMES = ("f1", "exact_match")
PIPELINE_TAG = "question-answering"
ARTICLE = re.compile(r"\b(?:a|an|the)\b")
SENTENCE_END = re.compile(r"(?<=[.!?])\s")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def baseline(train_rows: list[dict], rows: list[dict]) -> list[str]:
    """The context's first sentence; "" where most questions of the training rows have no answer."""
    if sum(not row["answers"] for row in train_rows) * 2 > len(train_rows):
        return [""] * len(rows)
    return [SENTENCE_END.split(row["context"].strip(), maxsplit=1)[0] for row in rows]


def row_statistics(predictions: list[str], rows: list[dict], *, labels: list[str]) -> np.ndarray:
    """F1 over words and exact match, each to the question's best gold answer, 0 to 1; [N, 2].

    A question without an answer has 1 if the prediction is empty, and else 0.
    """
    return np.array([_row_scores(answer, row) for answer, row in zip(predictions, rows, strict=True)])


def reduce(statistics: np.ndarray, counts_BN: np.ndarray, *, labels: list[str]) -> dict[str, np.ndarray]:
    """F1 and exact match, means over questions."""
    total_B = counts_BN.sum(axis=1)
    return {name: counts_BN @ score_N / total_B for name, score_N in zip(NAMES, statistics.T.copy(), strict=True)}


def confusion(predictions: list[str], rows: list[dict], *, labels: list[str]) -> list[list[int]]:
    """Empty: answers have no classes."""
    return []


def confusion_labels(labels: list[str]) -> list[str]:
    return []


def mistakes(predictions: list[str], rows: list[dict], *, logits: list[Any], labels: list[str]) -> list[float]:
    return (1 - row_statistics(predictions, rows, labels=labels)[:, 0]).tolist()


def text(row: dict) -> str:
    return f"{row['question']}\n{row['context']}"


def gold(row: dict) -> str:
    """The different answers."""
    return " / ".join(dict.fromkeys(answer["text"] for answer in row["answers"]))


def shown(prediction: str, row: dict) -> str:
    return prediction


def normalize(text: str) -> str:
    """Lower case, without punctuation, articles and surplus white space."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split())


def _row_scores(prediction: str, row: dict) -> tuple[float, float]:
    words = normalize(prediction).split()
    answers = [normalize(answer["text"]).split() for answer in row["answers"]]
    answers = [answer for answer in answers if answer] or [[]]
    return max(_f1(words, answer) for answer in answers), float(words in answers)


def _f1(words: list[str], answer: list[str]) -> float:
    if not words or not answer:
        return float(words == answer)
    num_shared = (Counter(words) & Counter(answer)).total()
    return 2 * num_shared / (len(words) + len(answer))
