"""How models compare on the same rows: scores with paired bootstrap intervals, and the rows that one gets most wrong.

Rows are drawn with replacement (Efron 1979), which shows how far a score would move with other test rows. B resamples
in a chunk, N rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinybert.tasks.protocol import TaskMetrics, scores_from

RESAMPLES, SEED = 2000, 1
CONFIDENCE = 0.95
CELLS = 2_000_000
"""Of [B, N], which bounds the memory."""
SHOWN, CHARACTERS = 12, 1200
"""Mistakes that are listed, and characters of a text; more is cut off."""
Statistics = Mapping[str, np.ndarray]
"""Of each model, by its name: what TaskMetrics.row_statistics returns for its predictions, [N, ...]."""


def compare(
    metrics: TaskMetrics, statistics: Statistics, *, metric: str, labels: list[str], reference: str
) -> dict[str, dict[str, Any]]:
    """Each model's score in `metric` with its interval, and its difference from the model `reference`.

    For all but the reference also `retained`, its share of the reference's score, and `difference`, its score less the
    reference's, with an interval in which every resample draws the same rows for both.
    """
    all_scores = {model: scores_from(metrics, rows_N, labels=labels) for model, rows_N in statistics.items()}
    reference_score = round(all_scores[reference][metric], 5)
    resamples = resample(metrics, statistics, metric=metric, labels=labels)
    compared: dict[str, dict[str, Any]] = {}
    for model in statistics:
        score = round(all_scores[model][metric], 5)
        compared[model] = {"score": score, "interval": interval(resamples[model])}
        if model != reference:
            compared[model] |= {
                "retained": round(score / reference_score, 5) if reference_score else 0.0,
                "difference": round(score - reference_score, 5),
                "difference_interval": interval(resamples[model] - resamples[reference]),
            }
    return compared


def resample(metrics: TaskMetrics, statistics: Statistics, *, metric: str, labels: list[str]) -> dict[str, np.ndarray]:
    """RESAMPLES scores of each model. All models see the same draws, so that a difference of two is paired."""
    chunks: dict[str, list[np.ndarray]] = {model: [] for model in statistics}
    for counts_BN in _draws(_num_rows(statistics)):
        for model, statistics_N in statistics.items():
            chunks[model].append(metrics.reduce(statistics_N, counts_BN, labels=labels)[metric])
    return {model: np.concatenate(scores) for model, scores in chunks.items()}


def interval(resamples: np.ndarray) -> list[float]:
    """The middle CONFIDENCE of them, as [low, high]."""
    tail = (1 - CONFIDENCE) / 2
    return [round(float(end), 5) for end in np.quantile(resamples, [tail, 1 - tail])]


def _num_rows(statistics: Statistics) -> int:
    return len(next(iter(statistics.values())))


def _draws(num_rows: int) -> Iterator[np.ndarray]:
    """How often each row is drawn, [B, N], in chunks of at most CELLS."""
    random = np.random.default_rng(SEED)
    size = max(1, min(RESAMPLES, CELLS // num_rows))
    for first in range(0, RESAMPLES, size):
        drawn = random.integers(num_rows, size=(min(size, RESAMPLES - first), num_rows))
        offsets = np.arange(len(drawn))[:, None] * num_rows
        yield np.bincount((drawn + offsets).ravel(), minlength=drawn.size).reshape(drawn.shape).astype(float)


def worst(
    mistakes: Sequence[float], rows: list[dict], predictions: Mapping[str, list], metrics: TaskMetrics
) -> list[dict[str, Any]]:
    """The SHOWN largest mistakes, each with the predictions of every model; of equal ones the first row first."""
    order = sorted((row for row in range(len(rows)) if mistakes[row] > 0), key=lambda row: (-mistakes[row], row))
    return [
        {
            "mistake": round(mistakes[row], 4),
            "text": _cut(metrics.text(rows[row])),
            "gold": _cut(metrics.gold(rows[row])),
            "predictions": {model: _cut(metrics.shown(each[row], rows[row])) for model, each in predictions.items()},
        }
        for row in order[:SHOWN]
    ]


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}\u2026"
