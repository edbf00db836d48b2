"""How much each channel of a teacher's layers varies, for losses in units of it.

M layers of the student, D the teacher's hidden size, B batch, L length.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from tinybert.distillation.teacher import States

BATCHES = 8
"""Batches of a training that the deviations are computed on, its first ones: some ten thousand tokens."""
FLOOR = 0.1
"""The least deviation, as a share of the layer's mean. MiniLM-L6-H384 has a channel at its last layer with less than a
hundredth, whose error would outweigh all others; the least of its other layers is 0.4."""


def channel_deviations(states: Iterable[tuple[States, Tensor]], *, layers: Sequence[int]) -> Tensor:
    """Standard deviations over real tokens of the outputs of `layers`, [M, D].

    `states` are those of a teacher for some batches, each with its `real_BL`, True where there is a token.
    """
    count, sums_MD, squares_MD = 0.0, torch.zeros(()), torch.zeros(())
    for captured, real_BL in states:
        outputs = [captured.hidden[n].double() * real_BL[..., None] for n in layers]
        sums_MD = torch.stack([output_BLD.sum((0, 1)) for output_BLD in outputs]) + sums_MD
        squares_MD = torch.stack([output_BLD.pow(2).sum((0, 1)) for output_BLD in outputs]) + squares_MD
        count = count + real_BL.sum()
    deviations_MD = (squares_MD / count - (sums_MD / count).pow(2)).clamp(min=0).sqrt()
    return deviations_MD.clamp(min=FLOOR * deviations_MD.mean(-1, keepdim=True)).float()
