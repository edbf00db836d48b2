"""Metrics of predicted entities, as conlleval, the evaluation of CoNLL-2003, defines them.

Tjong Kim Sang and De Meulder 2003, section 2: an entity is right if its words and its type are. B resamples, N rows.
"""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

NAMES = ("f1", "precision", "recall", "accuracy")
PIPELINE_TAG = "token-classification"


def baseline(train_rows: list[dict], rows: list[dict]) -> list[list[str]]:
    """Each word's most frequent tag in the training rows, of equals the first in sorted order; O for other words."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in train_rows:
        for word, tag in zip(row["words"], row["tags"], strict=True):
            counts[word][tag] += 1
    best = {word: min(tags, key=lambda tag: (-tags[tag], tag)) for word, tags in counts.items()}
    return [[best.get(word, "O") for word in row["words"]] for row in rows]


def row_statistics(predictions: list[list[str]], rows: list[dict], *, labels: list[str]) -> np.ndarray:
    """Entities right, predicted and gold; words right, and all words; [N, 5]."""
    return np.array([_counts(tags, row["tags"]) for tags, row in zip(predictions, rows, strict=True)], float)


def reduce(statistics: np.ndarray, counts_BN: np.ndarray, *, labels: list[str]) -> dict[str, np.ndarray]:
    """F1, precision and recall of whole entities, and accuracy over words; 0 where there is nothing to divide by."""
    right, predicted, gold, words_right, words = (counts_BN @ statistics).T
    return {
        "f1": _ratio(2 * right, predicted + gold),
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, gold),
        "accuracy": _ratio(words_right, words),
    }


def confusion(predictions: list[list[str]], rows: list[dict], *, labels: list[str]) -> list[list[int]]:
    """Words by gold type, then by predicted type."""
    index = {name: number for number, name in enumerate(confusion_labels(labels))}
    table = np.zeros((len(index), len(index)), int)
    for tags, row in zip(predictions, rows, strict=True):
        np.add.at(table, ([index[_type(tag)] for tag in row["tags"]], [index[_type(tag)] for tag in tags]), 1)
    return table.tolist()


def confusion_labels(labels: list[str]) -> list[str]:
    """The types of entities, and O for none."""
    return list(dict.fromkeys(_type(tag) for tag in labels))


def mistakes(predictions: list[list[str]], rows: list[dict], *, logits: list[Any], labels: list[str]) -> list[float]:
    """Entities that are predicted or gold, and not both."""
    pairs = zip(predictions, rows, strict=True)
    return [float(len(set(entities(tags)) ^ set(entities(row["tags"])))) for tags, row in pairs]


def text(row: dict) -> str:
    return " ".join(row["words"])


def gold(row: dict) -> str:
    """Each entity as its words and its type."""
    return shown(row["tags"], row)


def shown(prediction: list[str], row: dict) -> str:
    """Each entity as its words and its type."""
    words = row["words"]
    return ", ".join(f"{' '.join(words[first:end])} ({type_})" for type_, first, end in entities(prediction))


def entities(tags: list[str]) -> list[tuple[str, int, int]]:
    """The entities of one sentence as (type, first word, one past the last).

    An entity begins at B- and at an I- that follows O or another type; it ends before the next beginning or O.
    """
    spans: list[tuple[str, int, int]] = []
    previous = "O"
    for index, tag in enumerate(tags):
        if tag.startswith("B-") or (tag != "O" and tag[2:] != previous[2:]):
            spans.append((tag[2:], index, index + 1))
        elif tag != "O":
            spans[-1] = (*spans[-1][:2], index + 1)
        previous = tag
    return spans


def _counts(tags: list[str], gold_tags: list[str]) -> tuple[int, int, int, int, int]:
    predicted, gold = set(entities(tags)), set(entities(gold_tags))
    words_right = sum(tag == gold_tag for tag, gold_tag in zip(tags, gold_tags, strict=True))
    return len(predicted & gold), len(predicted), len(gold), words_right, len(gold_tags)


def _ratio(part_B: np.ndarray, whole_B: np.ndarray) -> np.ndarray:
    return np.divide(part_B, whole_B, out=np.zeros_like(part_B), where=whole_B > 0)


def _type(tag: str) -> str:
    return tag if tag == "O" else tag[2:]
