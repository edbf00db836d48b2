"""The losses of a training, left on their device until they are needed: fetching them waits until a GPU is done."""

import math

import torch

from stages.pipeline.errors import InputError


class Tally:
    """Sums of the losses since the last point of the curve; `sums`, up to date after `fetch`, is kept over a kill."""

    def __init__(self, sums: dict[str, float]) -> None:
        self.sums, self._last = sums, dict[str, float]()
        self._waiting: dict[int, dict[str, torch.Tensor]] = {}

    def add(self, step: int, losses: dict[str, torch.Tensor]) -> None:
        """The losses of this step, scalars."""
        self._waiting[step] = losses

    def fetch(self) -> None:
        """Raises InputError for the first loss that is not a finite number, with its step."""
        if not self._waiting:
            return
        rows = torch.stack([torch.stack(list(losses.values())) for losses in self._waiting.values()]).tolist()
        for (step, losses), row in zip(self._waiting.items(), rows, strict=True):
            self._last = dict(zip(losses, row, strict=True))
            _require_finite(self._last, step=step)
            for name, loss in self._last.items():
                self.sums[name] = self.sums.get(name, 0.0) + loss
        self._waiting.clear()

    def text(self) -> str:
        """The losses of the last step."""
        self.fetch()
        return "  ".join(f"{name} {loss:.3f}" for name, loss in self._last.items())


def _require_finite(losses: dict[str, float], *, step: int) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise InputError(f"step {step}: loss {name!r} is {loss}, training has diverged; lower its learning_rate")
