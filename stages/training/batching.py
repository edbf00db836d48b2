"""Which rows make up which step: a function of seed and epoch alone."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from stages.training.randomness import permutation

POOL = 50
"""Batches that are sorted by length together: enough to waste little on padding, few enough to stay random."""


def block_rows(step: int, *, batch_size: int, count: int, seed: int) -> np.ndarray:
    """Rows of one step [batch_size] when all `count` rows are gone through in a new order each epoch.

    A batch larger than the data, or one at the end of an epoch, goes on in the next epoch's order.
    """
    first, last = step * batch_size, (step + 1) * batch_size
    epochs = range(first // count, (last - 1) // count + 1)
    parts = [_order(count, seed, epoch)[max(0, first - epoch * count) : last - epoch * count] for epoch in epochs]
    return np.concatenate(parts)


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Drawn once an epoch: of a corpus of some gigabytes it takes longer than a step of training."""
    order = permutation(count, seed, epoch)
    order.flags.writeable = False
    return order


def moved(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    """The batch on the device. To a GPU it is copied from pinned memory, without waiting for the work before it."""
    if device.type != "cuda":
        return {name: tensor.to(device) for name, tensor in batch.items()}
    return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()}


def steps_in_epoch(count: int, *, batch_size: int) -> int:
    return -(-count // batch_size)


def epoch_batches(lengths: Sequence[int], *, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """All rows of an epoch in batches of similar length, in random order; the last rows make a smaller batch.

    Every batch is padded to its own longest row, so batches of similar length compute little padding.
    """
    order = permutation(len(lengths), seed, epoch)
    pools = [order[start : start + POOL * batch_size] for start in range(0, len(order), POOL * batch_size)]
    lengths_N = np.asarray(lengths)
    batches: list[np.ndarray] = []
    for pool in pools:
        pool = pool[np.argsort(lengths_N[pool], kind="stable")]
        batches += [pool[start : start + batch_size] for start in range(0, len(pool), batch_size)]
    return [batches[n] for n in permutation(len(batches), seed, epoch, 1)]
