"""The rows that a model gets most wrong, as texts to read."""

from collections.abc import Mapping, Sequence
from typing import Any

from tinybert.tasks.protocol import TaskMetrics

SHOWN = 12
CHARACTERS = 1200
"""Of a text; more is cut off."""


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
            "predictions": {
                model: _cut(metrics.shown(predicted[row], rows[row])) for model, predicted in predictions.items()
            },
        }
        for row in order[:SHOWN]
    ]


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}\u2026"
