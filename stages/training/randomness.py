"""All randomness of a training run is a function of its seed and a position.

So no random state has to be saved: a run that goes on at step 500 draws what an undisturbed run draws there.
"""

import numpy as np
import torch


def generator(*position: int) -> torch.Generator:
    """A torch generator for this position, such as (seed, step)."""
    return torch.Generator().manual_seed(_number(*position))


def seed_dropout(*position: int) -> None:
    """Set the global generators, from which dropout draws."""
    torch.manual_seed(_number(*position))


def permutation(count: int, *position: int) -> np.ndarray:
    """0 to `count` - 1 in the random order of this position, such as (seed, epoch)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(position))).permutation(count)


def _number(*position: int) -> int:
    return int(np.random.SeedSequence(position).generate_state(1, np.uint64)[0] >> 1)
