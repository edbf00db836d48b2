"""What to read of a confusion matrix of many classes: where it is dark, its largest mistakes, the scores by class.

C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

PAIRS = 15
CELL = 6
"""Width of a cell in a drawing, in its own units."""
FAINT = 0.005
"""The share below which a cell is not drawn."""
Matrix = Sequence[Sequence[int]]
"""Rows counted as [gold][predicted]."""


class Confused(NamedTuple):
    """One kind of mistake: rows of the class `gold` that were taken for `predicted`, and their share of that class."""

    gold: str
    predicted: str
    rows: int
    share: float


def confused_pairs(matrix: Matrix, labels: Sequence[str], *, limit: int = PAIRS) -> list[Confused]:
    """The most frequent mistakes, at most `limit` of them; of equally frequent ones those with the larger share."""
    counts_CC = np.array(matrix)
    totals_C = counts_CC.sum(axis=1)
    pairs = [
        Confused(
            labels[gold], labels[predicted], matrix[gold][predicted], matrix[gold][predicted] / int(totals_C[gold])
        )
        for gold, predicted in np.argwhere(counts_CC).tolist()
        if gold != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.rows, -pair.share, pair.gold, pair.predicted))[:limit]


def class_scores(confusion: Mapping[str, Matrix], labels: Sequence[str], *, by: str) -> list[dict[str, Any]]:
    """For each class its number of rows and F1 of each model, from the lowest F1 of the model `by` on."""
    scores = {model: _f1(np.array(matrix)) for model, matrix in confusion.items()}
    rows_C = np.array(confusion[by]).sum(axis=1)
    order = sorted(range(len(labels)), key=lambda n: (scores[by][n], labels[n]))
    return [
        {"label": labels[n], "rows": int(rows_C[n]), "f1": {model: float(f1_C[n]) for model, f1_C in scores.items()}}
        for n in order
    ]


def _f1(counts_CC: np.ndarray) -> np.ndarray:
    either_C = counts_CC.sum(axis=0) + counts_CC.sum(axis=1)
    return np.divide(2 * np.diagonal(counts_CC), either_C, out=np.zeros(len(either_C)), where=either_C > 0)


def heat_map(matrix: Matrix) -> str:
    """A drawing of the matrix, in SVG: a cell is as dark as its share of its gold class, from top to bottom."""
    counts_CC = np.array(matrix, float)
    totals_C = counts_CC.sum(axis=1, keepdims=True)
    shares_CC = np.divide(counts_CC, totals_C, out=np.zeros_like(counts_CC), where=totals_C > 0)
    side = CELL * len(counts_CC)
    cells = "".join(
        f'<use href="#cell" x="{CELL * predicted}" y="{CELL * gold}" opacity="{shares_CC[gold, predicted]:.2f}"/>'
        for gold, predicted in np.argwhere(shares_CC >= FAINT).tolist()
    )
    cell = f'<defs><rect id="cell" width="{CELL}" height="{CELL}" style="fill:var(--mark)"/></defs>'
    frame = f'<rect width="{side}" height="{side}" style="fill:var(--raised);stroke:var(--line)"/>'
    return f'<svg viewBox="0 0 {side} {side}" role="presentation">{cell}{frame}{cells}</svg>'
