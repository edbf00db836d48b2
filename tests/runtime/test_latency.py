"""Times are taken in turn, and ratios by round."""

import time

import numpy as np

from stages.runtime.latency import interleaved, ratio, summary


def test_every_call_has_its_turn_in_every_round() -> None:
    order: list[str] = []
    seconds = interleaved({name: lambda name=name: order.append(name) for name in ("a", "b", "c")}, rounds=4)
    assert order == ["a", "a", "b", "b", "c", "c"] * 4
    assert {name: len(times) for name, times in seconds.items()} == {"a": 4, "b": 4, "c": 4}
    assert all((times >= 0).all() for times in seconds.values())


def test_the_first_call_of_a_turn_is_not_counted() -> None:
    waits = iter([0.2, 0.0] * 3)
    seconds = interleaved({"only": lambda: time.sleep(next(waits))}, rounds=3)
    assert seconds["only"].max() < 0.2


def test_the_summary_is_in_milliseconds() -> None:
    seconds = np.arange(101) / 1000
    assert summary(seconds) == {"median_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    """A machine that is slow in one round is so for both."""
    assert ratio(np.array([1.0, 10.0, 1.0]), np.array([3.0, 30.0, 4.0])) == 3.0
