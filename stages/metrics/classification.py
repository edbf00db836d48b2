"""Scores of predicted classes."""

from collections import Counter

NAMES = ("accuracy", "f1_macro", "f1", "matthews")


def scores(predictions: list[str], rows: list[dict], *, labels: list[str]) -> dict[str, float]:
    """Accuracy, macro F1 and Matthews' correlation, which is 0 where predictions or gold labels are all the same.

    Where the task has exactly two labels also `f1`, that of the second ("equivalent" of MRPC's "not_equivalent" and
    "equivalent").
    """
    # Here and not above, since readers of NAMES alone would wait two seconds for it.
    from sklearn.metrics import accuracy_score, f1_score

    gold = [row["label"] for row in rows]
    found = {
        "accuracy": accuracy_score(gold, predictions),
        "f1_macro": f1_score(gold, predictions, average="macro"),
    }
    if len(labels) == 2:
        found["f1"] = f1_score(gold, predictions, labels=labels[1:], average="macro", zero_division=0.0)  # pyright: ignore[reportArgumentType]
    return {name: float(value) for name, value in (found | {"matthews": _matthews(gold, predictions)}).items()}


def baseline(train_rows: list[dict], rows: list[dict]) -> list[str]:
    """The most frequent label of train for every row; of equally frequent ones the first in sorted order."""
    counts = Counter(row["label"] for row in train_rows)
    return [min(counts, key=lambda label: (-counts[label], label))] * len(rows)


def _matthews(gold: list[str], predictions: list[str]) -> float:
    from sklearn.metrics import matthews_corrcoef

    # One label in all is no correlation to measure; scikit-learn's answer is 0 too, with a warning.
    return float(matthews_corrcoef(gold, predictions)) if len({*gold, *predictions}) > 1 else 0.0
