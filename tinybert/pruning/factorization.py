"""Attention heads of fewer channels, which keep as much as they can of the teacher's attention scores and outputs.

A head's scores q^T k and its outputs W_o v are bilinear: what counts is the product of two matrices, weighted by the
covariances of queries, keys and values. Its truncated singular value decomposition is the best approximation of its
rank (Eckart and Young 1936; SVD-LLM, Wang et al. 2024, arXiv:2403.07378, section 3.2, whitens a single matrix alike).
D the teacher's and d the student's head size, A the teacher's and a the student's heads, k the student's hidden size.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tinybert.pruning.calibration import LayerTrace
from tinybert.pruning.importance import head_channels, heads_by_output
from tinybert.pruning.shape import Shape

JITTER = 1e-6
"""Added to a covariance, in units of its mean variance, so that it has a Cholesky factor."""
SILENT = 0.02
"""Standard deviation of the weights of channels that the teacher has not."""


@dataclass(frozen=True)
class Heads:
    """Maps from the teacher's head channels (all heads side by side, A D) to the student's (a d).

    The student's queries are `query` times the teacher's, and so on; its output matrix is `output` [k, a d], and
    `output_bias` [k] is what the means of the values add. Channels that the teacher has not are rows of zeros here.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    value_mean: Tensor
    output: Tensor
    output_bias: Tensor
    silent: Tensor
    """[a d], True at channels that the teacher has not."""


def factorized_heads(part: LayerTrace, out_kA: Tensor, *, heads: int, shape: Shape) -> Heads:
    """The student's heads: those of the teacher's `heads` that write most into the stream, each factorized.

    `out_kA` [k, A D] is the teacher's output matrix in the student's basis. Where the student has more or wider heads,
    the rest is silent: it changes no output, and learns (see `silence`).
    """
    mean_A, covariance_AA = part.context.mean_C, part.context.covariance_CC
    width, head_size, size = shape.hidden_size, shape.head_size, len(mean_A) // heads
    query, key, value = (torch.zeros(width, len(mean_A), dtype=torch.float64) for _ in range(3))
    output, silent = torch.zeros(len(out_kA), width, dtype=torch.float64), torch.ones(width, dtype=torch.bool)
    rank = min(head_size, size)
    for place, n in enumerate(heads_by_output(part, out_kA, heads=heads, count=shape.num_attention_heads)):
        block, rows = slice(n * size, (n + 1) * size), slice(place * head_size, place * head_size + rank)
        query[rows, block], key[rows, block] = _scores(part, block, rank=rank, head_size=head_size)
        value[rows, block], output[:, rows] = _outputs(covariance_AA[block, block], out_kA[:, block], rank=rank)
        silent[rows] = False
    return Heads(query, key, value, mean_A, output, out_kA @ mean_A, silent)


def selected_heads(part: LayerTrace, out_kA: Tensor, *, heads: int, shape: Shape) -> Heads:
    """The student's heads as some of the teacher's channels (importance.head_channels), as a cut takes them.

    The queries keep the size of the scores (cut.apply_cut).
    """
    channels = head_channels(part, out_kA, shape=shape, heads=heads)
    eye = torch.eye(out_kA.shape[1], dtype=torch.float64)
    query, value = eye[channels.query], eye[channels.value]
    scale = (out_kA.shape[1] / heads / shape.head_size) ** 0.5
    nothing = torch.zeros(len(eye), dtype=torch.float64), torch.zeros(len(out_kA), dtype=torch.float64)
    silent = torch.zeros(shape.hidden_size, dtype=torch.bool)
    return Heads(query * scale, query, value, nothing[0], out_kA[:, channels.value], nothing[1], silent)


def _scores(part: LayerTrace, block: slice, *, rank: int, head_size: int) -> tuple[Tensor, Tensor]:
    """Maps of queries and keys [rank, D], so that their scores, divided by sqrt(head_size), are close to the teacher's.

    A shift common to all keys changes no softmax, so that keys count by their covariance.
    """
    query = _cholesky(part.query.second_CC[block, block])
    key = _cholesky(part.key.covariance_CC[block, block])
    left, values, right = torch.linalg.svd(query.T @ key)
    root = values[:rank].sqrt()[:, None] * (head_size / len(query)) ** 0.25
    return root * _times_inverse(left.T[:rank], query), root * _times_inverse(right[:rank], key)


def _outputs(covariance_DD: Tensor, out_kD: Tensor, *, rank: int) -> tuple[Tensor, Tensor]:
    """The map of values [rank, D], and the output matrix [k, rank]."""
    factor = _cholesky(covariance_DD)
    left, values, right = torch.linalg.svd(out_kD @ factor, full_matrices=False)
    kept = min(rank, len(values))
    root = values[:kept].sqrt()
    value, output = (
        torch.zeros(rank, len(factor), dtype=torch.float64),
        torch.zeros(len(out_kD), rank, dtype=torch.float64),
    )
    value[:kept], output[:, :kept] = root[:, None] * _times_inverse(right[:kept], factor), left[:, :kept] * root
    return value, output


def _cholesky(covariance: Tensor) -> Tensor:
    size = len(covariance)
    return torch.linalg.cholesky(
        covariance + torch.eye(size, dtype=torch.float64) * (JITTER * covariance.trace() / size)
    )


def _times_inverse(rows: Tensor, factor: Tensor) -> Tensor:
    """rows @ factor^-1, `factor` being lower triangular."""
    return torch.linalg.solve_triangular(factor, rows, upper=False, left=False)


def silence(attention: Any, silent: Tensor, *, generator: torch.Generator) -> None:
    """Draw queries and values of the silent channels; their keys and output columns stay 0.

    They change no output, and a gradient reaches the keys and columns: with all at 0 they would never learn.
    """
    for name in ("query", "value"):
        weight = attention.get_submodule(f"self.{name}").weight
        with torch.no_grad():
            drawn = torch.randn(weight.shape, generator=generator) * SILENT
            weight[silent] = drawn[silent].to(weight.dtype)
