"""One line every few seconds: what is done, how fast, and how long it still takes."""

import sys
import time
from collections.abc import Callable


def say(text: str) -> None:
    """A line on standard output, at once."""
    print(text, flush=True)


class Progress:
    """Counts steps and tokens, and prints a line at most every `every` seconds."""

    def __init__(self, label: str, *, steps: int, done: int = 0, every: float = 10.0) -> None:
        self._label, self._steps, self._first, self._every = label, steps, done, every
        self._start = self._last = time.monotonic()
        self._tokens = 0

    def step(self, step: int, *, tokens: int, text: Callable[[], str]) -> None:
        """`step` steps are done; `tokens` real ones were in the last; `text()` says how well it goes."""
        self._tokens += tokens
        now = time.monotonic()
        if now - self._last < self._every and step < self._steps:
            return
        self._last = now
        passed = max(now - self._start, 1e-9)
        left = passed / max(step - self._first, 1) * (self._steps - step)
        end = "\r" if sys.stdout.isatty() and step < self._steps else "\n"
        speed = f"{self._tokens / passed:,.0f} tokens/s  {left:.0f} s left"
        print(f"{self._label}: step {step}/{self._steps}  {text()}  {speed}", end=end, flush=True)
