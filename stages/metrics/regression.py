"""Scores of predicted numbers."""

import numpy as np

NAMES = ("pearson", "spearman")
"""What may choose an epoch: higher is better."""


def scores(predictions: list[float], rows: list[dict], *, labels: None) -> dict[str, float]:
    """Pearson's and Spearman's correlation with the gold scores, and the mean squared error.

    A correlation with a constant is not defined; it is reported as 0, since a constant tells nothing about the others.
    """
    from scipy.stats import rankdata  # a second to import, for readers of NAMES alone too

    gold = [row["label"] for row in rows]
    constant = len(set(gold)) == 1 or len(set(predictions)) == 1
    return {
        "pearson": 0.0 if constant else float(np.corrcoef(gold, predictions)[0, 1]),
        "spearman": 0.0 if constant else float(np.corrcoef(rankdata(gold), rankdata(predictions))[0, 1]),
        "mse": float(np.mean(np.square(np.subtract(gold, predictions)))),
    }


def baseline(train_rows: list[dict], rows: list[dict]) -> list[float]:
    """The mean score of train for every row."""
    return [float(np.mean([row["label"] for row in train_rows]))] * len(rows)
