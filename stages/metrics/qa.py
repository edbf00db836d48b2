"""Scores of predicted answers, as the evaluation of SQuAD 2.0 defines them (Rajpurkar et al. 2016, 2018).

It gives what the evaluation of SQuAD 1.1 gives where every question has an answer that is more than articles and
punctuation.
"""

import re
import string
from collections import Counter

NAMES = ("f1", "exact_match")

ARTICLE = re.compile(r"\b(?:a|an|the)\b")
SENTENCE_END = re.compile(r"(?<=[.!?])\s")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def scores(predictions: list[str], rows: list[dict], *, labels: None) -> dict[str, float]:
    """Exact match and F1 over words, of each question's best gold answer, as means over questions, 0 to 1.

    A question without an answer is right (1) if the prediction is empty, and else wrong (0).
    """
    pairs = [
        (normalize(prediction).split(), [words for words in map(_words, row["answers"]) if words] or [[]])
        for prediction, row in zip(predictions, rows, strict=True)
    ]
    return {
        "f1": sum(max(_f1(words, gold) for gold in answers) for words, answers in pairs) / len(pairs),
        "exact_match": sum(words in answers for words, answers in pairs) / len(pairs),
    }


def baseline(train_rows: list[dict], rows: list[dict]) -> list[str]:
    """The context's first sentence for every question; "" where most of train's questions have no answer."""
    if sum(not row["answers"] for row in train_rows) * 2 > len(train_rows):
        return [""] * len(rows)
    return [SENTENCE_END.split(row["context"].strip(), maxsplit=1)[0] for row in rows]


def normalize(text: str) -> str:
    """Lower case, without punctuation, articles and surplus white space."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split())


def _words(answer: dict) -> list[str]:
    return normalize(answer["text"]).split()


def _f1(words: list[str], gold: list[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    num_shared = (Counter(words) & Counter(gold)).total()
    return 2 * num_shared / (len(words) + len(gold))
