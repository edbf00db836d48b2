"""Progress on standard output: one line every few seconds with the losses, the speed and the time left."""

import sys
import time
from collections.abc import Callable


def log(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


class Progress:
    """Lines on one training, each with `label` in front; of its steps, one line at most every `every` seconds.

    `tracked` is whether its curve also goes to trackers (see `tracking`).
    """

    def __init__(self, label: str, *, every: float = 10.0, tracked: bool = True) -> None:
        self.label, self._every, self.tracked = label, every, tracked
        self._steps = self._first = self._tokens = 0
        self._start = self._last = 0.0

    def start(self, *, steps: int, done: int = 0) -> None:
        """Begin to measure a training of `steps` steps, of which an earlier run has done `done`."""
        self._steps, self._first, self._tokens = steps, done, 0
        self._start = self._last = time.monotonic()
        if done:
            self.note(f"resumes after step {done}/{steps}")

    def step(self, step: int, *, tokens: int, text: Callable[[], str]) -> None:
        """Report that `step` steps are done, the last one with `tokens` real tokens; `text()` gives its losses."""
        self._tokens += tokens
        now = time.monotonic()
        if now - self._last < self._every and step < self._steps:
            return
        self._last = now
        passed = max(now - self._start, 1e-9)
        left = passed / max(step - self._first, 1) * (self._steps - step)
        end = "\r" if sys.stdout.isatty() and step < self._steps else "\n"
        speed = f"{self._tokens / passed:,.0f} tokens/s  {left:.0f} s left"
        print(f"{self.label}: step {step}/{self._steps}  {text()}  {speed}", end=end, flush=True)

    def note(self, text: str) -> None:
        """Print a line that is no step."""
        log(f"{self.label}: {text}")
