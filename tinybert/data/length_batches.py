"""Sequences of unequal length in batches with little padding, for what is computed without a gradient."""

from collections.abc import Sequence

TOKENS = 8192
"""Padded tokens in a batch."""


def batches_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Numbers of sequences, the longest first, in batches of at most TOKENS with padding, or of one sequence."""
    batches: list[list[int]] = []
    for n in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > TOKENS:
            batches.append([])
        batches[-1].append(n)
    return batches
