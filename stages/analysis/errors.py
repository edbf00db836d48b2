"""The rows that a model gets most wrong, as texts to read."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 12
CHARACTERS = 1200
"""Of a text; more is cut off."""


def worst(mistakes: Sequence[float], rows: list[dict], predictions: Mapping[str, list], kind: Any) -> list[dict]:
    """The SHOWN largest mistakes, the first row first among equal ones, each with what every model said.

    `kind` is a module of this room.
    """
    order = sorted((row for row in range(len(rows)) if mistakes[row] > 0), key=lambda row: (-mistakes[row], row))
    return [
        {
            "mistake": round(mistakes[row], 4),
            "text": _cut(kind.text(rows[row])),
            "gold": _cut(kind.gold(rows[row])),
            "predictions": {who: _cut(kind.shown(made[row], rows[row])) for who, made in predictions.items()},
        }
        for row in order[:SHOWN]
    ]


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}\u2026"
