"""How far a score would move with other test rows: the bootstrap (Efron 1979) draws rows with replacement.

B resamples in a chunk, N rows.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

Weighted = Callable[[np.ndarray], np.ndarray]
"""From how often each row counts, [B, N], to the score of each resample, [B]."""

RESAMPLES, SEED = 2000, 1
CONFIDENCE = 0.95
CELLS = 2_000_000
"""Of [B, N], which bounds the memory."""


def resample(scores: Mapping[str, Weighted], *, num_rows: int) -> dict[str, np.ndarray]:
    """RESAMPLES scores under each name. All see the same draws, so that differences of two of them are paired."""
    chunks: dict[str, list[np.ndarray]] = {who: [] for who in scores}
    for counts in _draws(num_rows):
        for who, score in scores.items():
            chunks[who].append(score(counts))
    return {who: np.concatenate(found) for who, found in chunks.items()}


def interval(resamples: np.ndarray) -> list[float]:
    """The middle CONFIDENCE of them, as [low, high]."""
    tail = (1 - CONFIDENCE) / 2
    return [round(float(end), 5) for end in np.quantile(resamples, [tail, 1 - tail])]


def _draws(num_rows: int) -> Iterator[np.ndarray]:
    chance = np.random.default_rng(SEED)
    size = max(1, min(RESAMPLES, CELLS // num_rows))
    for first in range(0, RESAMPLES, size):
        drawn = chance.integers(num_rows, size=(min(size, RESAMPLES - first), num_rows))
        offsets = np.arange(len(drawn))[:, None] * num_rows
        yield np.bincount((drawn + offsets).ravel(), minlength=drawn.size).reshape(drawn.shape).astype(float)
