"""Scores of predicted entities, as conlleval, the evaluation of CoNLL-2003, defines them.

Tjong Kim Sang and De Meulder 2003, section 2: an entity is right if its words and its type are.
"""

from collections import Counter, defaultdict

NAMES = ("f1", "precision", "recall", "accuracy")


def scores(predictions: list[list[str]], rows: list[dict], *, labels: list[str]) -> dict[str, float]:
    """Precision, recall and F1 of whole entities (words and type both right), and accuracy over words.

    A share of nothing (no entity predicted, no entity there) is 0.
    """
    gold = [row["tags"] for row in rows]
    found, wanted = _entities(predictions), _entities(gold)
    num_right = len(found & wanted)
    words = [a == b for one, other in zip(predictions, gold, strict=True) for a, b in zip(one, other, strict=True)]
    return {
        "f1": _share(2 * num_right, len(found) + len(wanted)),
        "precision": _share(num_right, len(found)),
        "recall": _share(num_right, len(wanted)),
        "accuracy": _share(sum(words), len(words)),
    }


def baseline(train_rows: list[dict], rows: list[dict]) -> list[list[str]]:
    """Each word's most frequent tag in train, the first in sorted order of equally frequent ones; O if never seen."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in train_rows:
        for word, tag in zip(row["words"], row["tags"], strict=True):
            counts[word][tag] += 1
    best = {word: min(tags, key=lambda tag: (-tags[tag], tag)) for word, tags in counts.items()}
    return [[best.get(word, "O") for word in row["words"]] for row in rows]


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


def _entities(sentences: list[list[str]]) -> set[tuple[int, str, int, int]]:
    return {(number, *span) for number, tags in enumerate(sentences) for span in entities(tags)}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
