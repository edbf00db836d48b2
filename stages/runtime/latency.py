"""How long calls take, measured in turn, so that the noise of a machine hits all alike."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key")


def interleaved(calls: Mapping[Key, Callable[[], object]], *, rounds: int) -> dict[Key, np.ndarray]:
    """Seconds of each call in each round, [rounds].

    A call is made twice in its turn, and the second time counts: until then the caches hold its weights, and threads
    of the call before it have stopped waiting for more work, which they do spinning.
    """
    seconds = {name: np.empty(rounds) for name in calls}
    for n in range(rounds):
        for name, call in calls.items():
            call()
            start = time.perf_counter()
            call()
            seconds[name][n] = time.perf_counter() - start
    return seconds


def summary(seconds: np.ndarray) -> dict[str, float]:
    """Milliseconds: the median and the two percentiles that a service is measured by."""
    names = ("median_ms", "p95_ms", "p99_ms")
    return {name: milliseconds(value) for name, value in zip(names, np.percentile(seconds, (50, 95, 99)), strict=True)}


def milliseconds(seconds: float) -> float:
    return round(float(seconds) * 1000, 3)


def ratio(seconds: np.ndarray, reference: np.ndarray) -> float:
    """How many times faster than the reference of the same rounds: the median of the rounds' own ratios."""
    return round(float(np.median(reference / seconds)), 2)
