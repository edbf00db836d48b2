"""Data-parallel sharding of a batch, so that several processes compute what a single one would. K losses."""

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator


@dataclass(frozen=True)
class Shard:
    """The part of every batch that a process computes: number `index` of `count`."""

    index: int
    count: int

    def rows(self, total: int) -> slice:
        """Its rows of `total`; the first row where it has none, since a process cannot sit out a step."""
        first, last = self._range(total)
        return slice(first, last) if first < last else slice(0, 1)

    def weight(self, total: int) -> torch.Tensor:
        """1, or 0 where it has no rows of its own; a scalar on the CPU."""
        first, last = self._range(total)
        return torch.tensor(float(first < last))

    def _range(self, total: int) -> tuple[int, int]:
        return total * self.index // self.count, total * (self.index + 1) // self.count


UNSHARDED = Shard(0, 1)


def shard_of(accelerator: Accelerator) -> Shard:
    """The shard of this process."""
    return Shard(accelerator.process_index, accelerator.num_processes)


def mean_over_processes(
    losses_K: torch.Tensor, counts_K: torch.Tensor, accelerator: Accelerator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The scalar that this process has to minimise, and the losses [K] of the whole batch.

    Each loss is a mean over as many elements as its count says, and processes have different counts. Gradients are
    averaged over the processes, so that a loss weighs `processes * count / count of all` here. A mean over no element
    is not a number; it counts as 0, here and for the whole batch.
    """
    sums_K = torch.where(counts_K > 0, losses_K, 0.0) * counts_K
    reduced: Any = accelerator.reduce(torch.stack([sums_K.detach(), counts_K]))
    total_sums_K, total_counts_K = reduced[0], reduced[1].clamp(min=1)
    minimised = (sums_K * accelerator.num_processes / total_counts_K).sum()
    return minimised, total_sums_K / total_counts_K
