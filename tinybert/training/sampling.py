"""Deterministic batch sampling: all randomness of a training is a function of its seed and a position.

So no random state has to be saved: a run resumed at step 500 draws what an undisturbed run draws there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

POOL = 50
"""Batches whose rows are sorted by length together: enough to save padding, few enough to stay random."""


def block_rows(step: int, *, batch_size: int, count: int, seed: int) -> np.ndarray:
    """Rows of one step [batch_size], where each epoch visits all `count` rows in a new order.

    A batch larger than the data, or one at the end of an epoch, continues with the next epoch's order.
    """
    first, last = step * batch_size, (step + 1) * batch_size
    epochs = range(first // count, (last - 1) // count + 1)
    parts = [_order(count, seed, epoch)[max(0, first - epoch * count) : last - epoch * count] for epoch in epochs]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Mixture:
    """Blocks [N, L] of a corpus and of other texts, which make up the same share of every batch."""

    corpus: np.ndarray
    other: np.ndarray
    share: float
    """Of the other texts, between 0 and 1."""

    @property
    def shape(self) -> tuple[int, int]:
        """Of all blocks together."""
        return len(self.corpus) + len(self.other), self.corpus.shape[1]


def step_blocks(blocks: "np.ndarray | Mixture", step: int, *, batch_size: int, seed: int) -> np.ndarray:
    """The blocks [batch_size, L] of one step in the order of their rows, the corpus first (see block_rows)."""
    if isinstance(blocks, np.ndarray):
        return blocks[np.sort(block_rows(step, batch_size=batch_size, count=len(blocks), seed=seed))]
    others = round(batch_size * blocks.share)
    sizes = ((blocks.corpus, batch_size - others), (blocks.other, others))
    parts = [step_blocks(part, step, batch_size=size, seed=seed) for part, size in sizes if size]
    return np.concatenate(parts)


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Cached, for two sources: for a corpus of some gigabytes it takes longer than a step of training."""
    order = permutation(count, seed, epoch)
    order.flags.writeable = False
    return order


def to_device(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """The batch on the device. It is copied to a GPU from pinned memory, without waiting for the work before it."""
    if device.type != "cuda":
        return {name: tensor.to(device) for name, tensor in batch.items()}
    return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()}


def epoch_batches(lengths: Sequence[int], *, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The rows of each batch of an epoch, of similar length; one batch may be smaller. Their order is not yet random.

    Every batch is padded to its own longest row, so that similar lengths need little padding.
    """
    order = permutation(len(lengths), seed, epoch)
    pools = [order[start : start + POOL * batch_size] for start in range(0, len(order), POOL * batch_size)]
    lengths_N = np.asarray(lengths)
    pools = [pool[np.argsort(lengths_N[pool], kind="stable")] for pool in pools]
    return [pool[start : start + batch_size] for pool in pools for start in range(0, len(pool), batch_size)]


@lru_cache(maxsize=4)
def epoch_order(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch goes through its `count` batches."""
    order = permutation(count, seed, epoch, 1)
    order.flags.writeable = False
    return order


def generator(*position: int) -> torch.Generator:
    """A torch generator for this position, such as (seed, step)."""
    return torch.Generator().manual_seed(_seed(*position))


def seed_dropout(*position: int) -> None:
    """Seed the global generators, from which dropout draws."""
    torch.manual_seed(_seed(*position))


def permutation(count: int, *position: int) -> np.ndarray:
    """0 to `count` - 1 in the random order of this position, such as (seed, epoch)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(position))).permutation(count)


def _seed(*position: int) -> int:
    return int(np.random.SeedSequence(position).generate_state(1, np.uint64)[0] >> 1)
