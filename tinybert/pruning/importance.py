"""What of a teacher is kept: its largest channels, heads and neurons, and the layers that change most, on given text.

Scores by activation, as Minitron's (Muralidharan et al. 2024, arXiv:2407.14679, section 2.2), with two deviations: the
mean is over squares, and what a head or a neuron computes counts by how much of it is written into the residual stream.
D the teacher's and k the student's hidden size, A attention channels (all heads side by side), F intermediate neurons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import BertModel

from tinybert.pruning.calibration import LayerTrace, Text, on_output, run_teacher
from tinybert.pruning.shape import Shape


@dataclass(frozen=True)
class HeadChannels:
    """The attention channels of one layer that a student keeps, as indices into the teacher's."""

    query: list[int]
    """Of queries and keys."""
    value: list[int]


def largest(scores: Tensor, count: int) -> list[int]:
    """The places of the largest scores, in increasing order; of equal ones the first."""
    return scores.argsort(descending=True, stable=True)[:count].sort().values.tolist()


def hidden_channels(stream_DD: Tensor, count: int) -> list[int]:
    """By their share of the residual stream's energy, `Trace.stream_DD`."""
    return largest(stream_DD.diagonal(), count)


def neurons(part: LayerTrace, out_kF: Tensor, count: int) -> list[int]:
    """By what they write: E[a^2] |w|^2, with w their column of the output matrix."""
    return largest(part.energy_F * out_kF.pow(2).sum(0), count)


def heads_by_output(part: LayerTrace, out_kA: Tensor, *, heads: int, count: int) -> list[int]:
    """By the variance of what they write into the stream."""
    size = out_kA.shape[1] // heads
    covariance = part.context.covariance_CC
    blocks = [slice(n * size, (n + 1) * size) for n in range(heads)]
    return largest(torch.stack([(out_kA[:, b] @ covariance[b, b] @ out_kA[:, b].T).trace() for b in blocks]), count)


def head_channels(part: LayerTrace, out_kA: Tensor, *, shape: Shape, heads: int) -> HeadChannels:
    """In each of the heads that write most: queries and keys by E[q^2] E[k^2], values by what they write.

    Where the student's heads are wider or more than the teacher's `heads`, they are filled, in order, with the channels
    that write most of all heads.
    """
    written_A = part.context.second_CC.diagonal() * out_kA.pow(2).sum(0)
    scores_A = part.query.second_CC.diagonal() * part.key.second_CC.diagonal()
    size = len(written_A) // heads
    if shape.head_size > size or shape.num_attention_heads > heads:
        kept = largest(written_A, shape.hidden_size)
        return HeadChannels(kept, kept)
    query, value = [], []
    for n in heads_by_output(part, out_kA, heads=heads, count=shape.num_attention_heads):
        for kept, by_channel in ((query, scores_A), (value, written_A)):
            kept += [n * size + c for c in largest(by_channel[n * size : (n + 1) * size], shape.head_size)]
    return HeadChannels(query, value)


@torch.inference_mode()
def layer_influence(teacher: BertModel, texts: Sequence[Text]) -> list[float]:
    """How much each layer changes its input: 1 - cos(input, output), the mean over tokens.

    Block influence (Men et al. 2024, arXiv:2403.03853, equation 1).
    """
    changes: list[list[Tensor]] = [[] for _ in teacher.encoder.layer]
    handles = [
        on_output(layer, lambda x, y, n=n: changes[n].append(1 - F.cosine_similarity(x, y, dim=-1).flatten().double()))
        for n, layer in enumerate(teacher.encoder.layer)
    ]
    run_teacher(teacher, texts)
    for handle in handles:
        handle.remove()
    return [torch.cat(parts).mean().item() for parts in changes]
