"""Losses to a teacher's hidden states, attention scores and relations, means over real tokens.

TinyBERT's (Jiao et al. 2020), whose authors' code averages over padding too, which is not in the paper and makes a loss
depend on the batch; and those of MiniLMv2, DistilBERT and PKD. B batch, L length, H width, K a student's own width, h
heads, d head size.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

HIDDEN_SCORE = torch.finfo(torch.float32).min
"""In place of the -inf that hides a pair of tokens from the softmax: its exponential is 0 as well, and 0 times a
difference of two such scores is 0, where that of two infinities is not a number."""

PAIRS_AT_ONCE = 2**16
"""Pairs of tokens whose attention scores are computed together, in all heads, on a CPU."""


def hidden_loss(student_BLH: Tensor, teacher_BLH: Tensor, real_BL: Tensor) -> Tensor:
    """Mean squared error over real tokens and channels: equations 8 (hidden states) and 9 (embeddings).

    `student_BLH` has been projected to the teacher's width. `real_BL` is True where there is a token.
    """
    error_BL = (student_BLH.float() - teacher_BLH.float()).pow(2).mean(-1)
    return (error_BL * real_BL).sum() / real_BL.sum()


def standardized_loss(student_BLH: Tensor, teacher_BLH: Tensor, real_BL: Tensor, deviation_H: Tensor) -> Tensor:
    """`hidden_loss` in units of each channel's standard deviation in the teacher.

    In the plain mean the few channels of a BERT that vary most outweigh all others.
    """
    error_BLH = (student_BLH.float() - teacher_BLH.float()) / deviation_H
    return (error_BLH.pow(2).mean(-1) * real_BL).sum() / real_BL.sum()


def cosine_loss(student_BLH: Tensor, teacher_BLH: Tensor, real_BL: Tensor) -> Tensor:
    """Mean of 1 - cos over real tokens: DistilBERT's cosine embedding loss (Sanh et al. 2019, section 2).

    DistilBERT has its teacher's width; here `student_BLH` has been projected to it.
    """
    distance_BL = 1 - F.cosine_similarity(student_BLH.float(), teacher_BLH.float(), dim=-1)
    return (distance_BL * real_BL).sum() / real_BL.sum()


def patience_loss(student_BLH: Tensor, teacher_BLH: Tensor, starts_BL: Tensor) -> Tensor:
    """Squared distance of normalized states, mean over the [CLS] of all documents: PKD (Sun et al. 2019), equation 7.

    The equation sums over documents, and the authors' code divides by the width too. The squared distance of unit
    vectors is 2 (1 - cos): over all tokens the loss would be `cosine_loss` again. `starts_BL` is True at each [CLS].
    """
    return 2 * cosine_loss(student_BLH, teacher_BLH, starts_BL)


def attention_loss(
    student_query_BLK: Tensor, student_key_BLK: Tensor, teacher_query_BLH: Tensor, teacher_key_BLH: Tensor,
    visible_B1LL: Tensor, *, heads: int,
) -> Tensor:  # fmt: skip
    """Mean squared error of scores before the softmax, over heads and real pairs of tokens: equation 7.

    The scores are Q K^T / sqrt(d) (Vaswani et al. 2017, equation 1), of queries and keys before they are split into
    `heads`. `visible_B1LL` is True where a token (third axis) attends to another (fourth axis), both real.
    """
    with torch.autocast(student_query_BLK.device.type, enabled=False):
        parts = (student_query_BLK, student_key_BLK, teacher_query_BLH, teacher_key_BLH)
        query_BhLd, key_BhLd, teacher_query_BhLd, teacher_key_BhLd = (_heads(x.float(), heads) for x in parts)
        scaled, teacher_scaled = (q_BhLd * q_BhLd.shape[-1] ** -0.5 for q_BhLd in (query_BhLd, teacher_query_BhLd))
        error: Any = _SquaredScoreError.apply(scaled, key_BhLd, teacher_scaled, teacher_key_BhLd, visible_B1LL)
    return error / (visible_B1LL.sum() * heads)


class _SquaredScoreError(torch.autograd.Function):
    """The sum of (Q K^T - Q_t K_t^T)^2 over visible pairs, a scalar; only Q and K of the student get gradients.

    The scores of a few rows at a time stay in the processor's cache, and their gradients, 2 E K and 2 E^T Q with the
    error E, are computed there: twice as fast as autograd and more, which keeps [B, h, L, L] for the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any, query_BhLd: Tensor, key_BhLd: Tensor, teacher_query_BhLd: Tensor, teacher_key_BhLd: Tensor,
        visible_B1LL: Tensor,
    ) -> Tensor:  # fmt: skip
        in_cache = max(1, PAIRS_AT_ONCE // visible_B1LL.shape[-1] ** 2)
        rows = in_cache if query_BhLd.is_cpu else len(query_BhLd)
        split = [x.split(rows) for x in (query_BhLd, key_BhLd, teacher_query_BhLd, teacher_key_BhLd, visible_B1LL)]
        sums: list[Tensor] = []
        gradients: list[tuple[Tensor, Tensor]] = []
        for query, key, teacher_query, teacher_key, visible in zip(*split, strict=True):
            error = query @ key.mT - teacher_query @ teacher_key.mT
            error *= visible
            sums.append(error.square().sum())
            gradients.append((error @ key, error.mT @ query))
        ctx.save_for_backward(*map(torch.cat, zip(*gradients, strict=True)))
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        query_BhLd, key_BhLd = ctx.saved_tensors
        return 2 * outputs[0] * query_BhLd, 2 * outputs[0] * key_BhLd, None, None, None


def _heads(x_BLH: Tensor, heads: int) -> Tensor:
    """Split into heads, [B, h, L, d]."""
    return x_BLH.unflatten(-1, (heads, -1)).transpose(1, 2)


def relation_loss(
    student_BLK: Tensor, teacher_BLH: Tensor, *, real_BL: Tensor, visible_B1LL: Tensor, heads: int
) -> Tensor:
    """Divergence of the student's relations from the teacher's, mean over relation heads and real tokens.

    MiniLMv2's KL(teacher || student) of softmax(x x^T / sqrt(d)) (Wang et al. 2021, arXiv:2012.15828, equations 6 to
    8), of queries, keys or values x split into `heads`, a number that divides both widths. The paper has one sequence;
    in a batch every token weighs the same here, and tokens that do not see each other have no relation.
    """
    with torch.autocast(student_BLK.device.type, enabled=False):  # a score rounded to bfloat16 is off by 0.2 at 50
        student_BhLL, teacher_BhLL = (
            _relation_scores(x, heads=heads).masked_fill_(~visible_B1LL, HIDDEN_SCORE)
            for x in (student_BLK.float(), teacher_BLH.float())
        )
    # Not exp(log_softmax), whose exponential is many times slower where pairs are hidden.
    probability_BhLL, log_ratio_BhLL = teacher_BhLL.softmax(-1), teacher_BhLL.log_softmax(-1)
    log_ratio_BhLL = log_ratio_BhLL - student_BhLL.log_softmax(-1)
    divergence_BL = (probability_BhLL * log_ratio_BhLL).sum(-1).mean(1)
    return (divergence_BL * real_BL).sum() / real_BL.sum()


def _relation_scores(x_BLH: Tensor, *, heads: int) -> Tensor:
    """x x^T / sqrt(d) in each of the relation heads, [B, h, L, L]."""
    x_BhLd = _heads(x_BLH, heads)
    return x_BhLd * x_BhLd.shape[-1] ** -0.5 @ x_BhLd.transpose(2, 3)
