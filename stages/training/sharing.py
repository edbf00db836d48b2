"""A batch cut among processes, so that together they compute what one would. K losses."""

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator


@dataclass(frozen=True)
class Share:
    """Which part of every batch a process computes: the one at `index` of `count` parts."""

    index: int
    count: int

    def rows(self, total: int) -> slice:
        """Its rows of `total`; the first one where it has none, since a process cannot sit out a step."""
        first, last = self._range(total)
        return slice(first, last) if first < last else slice(0, 1)

    def weight(self, total: int) -> torch.Tensor:
        """1, or 0 where it has no rows of its own; a scalar on the CPU."""
        first, last = self._range(total)
        return torch.tensor(float(first < last))

    def _range(self, total: int) -> tuple[int, int]:
        return total * self.index // self.count, total * (self.index + 1) // self.count


ALONE = Share(0, 1)


def share_of(accelerator: Accelerator) -> Share:
    return Share(accelerator.process_index, accelerator.num_processes)


def mean_over_processes(
    losses_K: torch.Tensor, counts_K: torch.Tensor, accelerator: Accelerator
) -> tuple[torch.Tensor, torch.Tensor]:
    """What this process has to minimise, a scalar, and the losses [K] of the whole batch.

    Each loss is a mean over as many things as its count says, which processes have unequally many of. Gradients are
    averaged over the processes, so that here a loss weighs `processes * count / count of all`. Where its count is 0 a
    mean is not a number, and counts as 0; so does the mean of all where no process has any.
    """
    sums_K = torch.where(counts_K > 0, losses_K, 0.0) * counts_K
    reduced: Any = accelerator.reduce(torch.stack([sums_K.detach(), counts_K]))
    sums_of_all_K, counts_of_all_K = reduced[0], reduced[1].clamp(min=1)
    minimised = (sums_K * accelerator.num_processes / counts_of_all_K).sum()
    return minimised, sums_of_all_K / counts_of_all_K
