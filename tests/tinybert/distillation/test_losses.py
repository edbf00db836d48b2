"""Distillation losses, worked by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from tinybert.distillation import losses
from tinybert.distillation.losses import (
    attention_loss,
    cosine_loss,
    hidden_loss,
    patience_loss,
    relation_loss,
    standardized_loss,
)
from tinybert.distillation.soft_targets import soft_cross_entropy


def test_hidden_loss_is_the_mean_square_over_real_tokens_and_channels():
    student = torch.tensor([[[1.0, 2.0], [5.0, 5.0]], [[0.0, 0.0], [9.0, 9.0]]])
    teacher = torch.tensor([[[0.0, 4.0], [5.0, 2.0]], [[1.0, 1.0], [0.0, 0.0]]])
    real = torch.tensor([[True, True], [True, False]])
    # squares (1, 4), (0, 9), (1, 1); the last token is padding
    assert hidden_loss(student, teacher, real).item() == pytest.approx((2.5 + 4.5 + 1.0) / 3)


def test_padding_changes_no_hidden_loss():
    student, teacher = torch.randn(3, 5, 7), torch.randn(3, 5, 7)
    real = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]).bool()
    loss = hidden_loss(student, teacher, real)
    assert torch.equal(hidden_loss(student.masked_fill(~real[..., None], 1e4), teacher, real), loss)
    rows = [hidden_loss(student[n : n + 1, :k], teacher[n : n + 1, :k], torch.ones(1, k).bool()) * k for n, k in
            enumerate((5, 2, 3))]  # fmt: skip
    torch.testing.assert_close(sum(rows) / 10, loss)


def test_attention_loss_is_the_mean_square_over_heads_and_visible_pairs():
    student, teacher = torch.zeros(1, 2, 2), torch.tensor([[[1.0, 1.0], [2.0, 0.5]]])
    key = torch.tensor([[[1.0, 2.0], [7.0, 2.0]]])
    visible = torch.tensor([[[[True, False], [True, True]]]])
    # two heads of one channel: scores (1, 7), (2, 14) and (2, 2), (1, 1), of which (first, second) does not count
    loss = attention_loss(student, key, teacher, key, visible, heads=2)
    assert loss.item() == pytest.approx((1 + 4 + 196 + 4 + 1 + 1) / 6)
    # one head of two channels, scores (3, 9) and (3, 15) over the square root of 2
    loss = attention_loss(student, key, teacher, key, visible, heads=1)
    assert loss.item() == pytest.approx((9 + 9 + 225) / 2 / 3)


@pytest.mark.parametrize("pairs", [1, 7**2 * 2, 10**6], ids=["a row at a time", "two rows", "all at once"])
def test_attention_loss_has_the_gradients_of_autograd(monkeypatch: pytest.MonkeyPatch, pairs: int):
    monkeypatch.setattr(losses, "PAIRS_AT_ONCE", pairs)
    queries, keys = ([torch.randn(3, 7, width) for width in (8, 12)] for _ in range(2))
    query, key = (x[0].requires_grad_() for x in (queries, keys))
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [2, 2, 3, 3, -1, -1, -1], [4, 4, 4, 4, 4, 5, 5]])
    visible = (documents[:, None, :, None] == documents[:, None, None, :]) & (documents >= 0)[:, None, None, :]
    scores = [
        torch.einsum("blhd,bmhd->bhlm", q.unflatten(-1, (4, -1)), k.unflatten(-1, (4, -1))) / (q.shape[-1] / 4) ** 0.5
        for q, k in zip(queries, keys, strict=True)
    ]
    expected = F.mse_loss(*(score[visible.expand(-1, 4, -1, -1)] for score in scores))
    loss = attention_loss(query, key, queries[1], keys[1], visible, heads=4)
    torch.testing.assert_close(loss, expected)
    found, by_autograd = (torch.autograd.grad(3 * value, (query, key)) for value in (loss, expected))
    torch.testing.assert_close(found, by_autograd)
    assert found[0][1, 4:].abs().max() == 0, "padding"


def test_attention_scores_are_not_rounded_to_bfloat16():
    a, b, c, d = (5 * torch.randn(2, 5, 8).bfloat16() for _ in range(4))
    visible = torch.ones(2, 1, 5, 5).bool()
    expected = attention_loss(a.float(), b.float(), c.float(), d.float(), visible, heads=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(attention_loss(a, b, c, d, visible, heads=2), expected)


def test_standardized_loss_weighs_each_channel_by_its_deviation():
    student = torch.tensor([[[1.0, 2.0], [5.0, 5.0], [9.0, 9.0]]])
    teacher = torch.tensor([[[0.0, 6.0], [5.0, 2.0], [0.0, 0.0]]])
    real, deviation = torch.tensor([[True, True, False]]), torch.tensor([0.5, 2.0])
    # in deviations the errors are (2, -2) and (0, 1.5)
    loss = standardized_loss(student, teacher, real, deviation)
    assert loss.item() == pytest.approx((4 + 4 + 0 + 2.25) / 4)
    torch.testing.assert_close(
        standardized_loss(student, teacher, real, torch.ones(2)), hidden_loss(student, teacher, real)
    )


ANGLES = torch.tensor([[[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]]]), torch.tensor([[[5.0, 5.0], [0.0, 9.0], [-1.0, -1.0]]])
"""Vectors at 45, 0 and 180 degrees."""


def test_cosine_loss_is_the_mean_of_one_minus_cosine_whatever_the_lengths():
    assert cosine_loss(*ANGLES, torch.tensor([[True, True, False]])).item() == pytest.approx((1 - 0.5**0.5) / 2)
    assert cosine_loss(*ANGLES, torch.tensor([[False, True, True]])).item() == pytest.approx(1.0)


def test_patience_loss_is_the_squared_distance_of_unit_vectors_at_the_starts():
    student, teacher = torch.randn(3, 5, 7), torch.randn(3, 5, 7)
    starts = torch.tensor([[1, 0, 0, 1, 0], [1, 0, 0, 0, 0], [1, 0, 1, 0, 0]]).bool()
    unit = [x[starts] / x[starts].pow(2).sum(-1, keepdim=True).sqrt() for x in (student, teacher)]
    torch.testing.assert_close(patience_loss(student, teacher, starts), (unit[0] - unit[1]).pow(2).sum() / 5)


def test_relation_loss_by_hand():
    student, teacher = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[1.0, 0.0], [0.0, math.log(3) * 2**0.5]]])
    both, visible = torch.ones(1, 2).bool(), torch.ones(1, 1, 2, 2).bool()
    # x x^T / sqrt(d), row by row: the teacher's, whose heads have two channels, and the student's, with one
    rows = [((2**-0.5, 0.0), (0.0, 0.0)), ((0.0, math.log(3) ** 2 * 2**0.5), (0.0, 1.0))]
    parts = [(torch.tensor(t).softmax(0), torch.tensor(s).softmax(0)) for t, s in rows]
    expected = sum(float((p * (p / q).log()).sum()) for p, q in parts) / 2
    loss = relation_loss(student, teacher, real_BL=both, visible_B1LL=visible, heads=1)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


DOCUMENTS = [(0, 0, 4), (0, 4, 7), (1, 0, 5), (2, 0, 2), (2, 2, 3)]
"""Row, first position and end of five documents in three rows; the rest is padding."""


def relations_by_documents(student: torch.Tensor, teacher: torch.Tensor, *, heads: int) -> torch.Tensor:
    """The loss from each document cut out, head by head and token by token."""
    total, count = torch.zeros(()), 0
    for row, first, end in DOCUMENTS:
        for parts in zip(
            student[row, first:end].chunk(heads, -1), teacher[row, first:end].chunk(heads, -1), strict=True
        ):
            s, t = (x @ x.T / x.shape[-1] ** 0.5 for x in parts)
            total = total + F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="sum")
        count += end - first
    return total / (count * heads)


def test_relation_loss_is_that_of_each_document_alone_in_value_and_gradient():
    student, teacher = torch.randn(3, 7, 8, requires_grad=True), torch.randn(3, 7, 12) * 3
    documents = torch.full((3, 7), -1)
    for number, (row, first, end) in enumerate(DOCUMENTS):
        documents[row, first:end] = number
    real = documents >= 0
    visible = (documents[:, :, None] == documents[:, None, :]) & real[:, :, None]
    for heads in (1, 2, 4):
        loss = relation_loss(student, teacher, real_BL=real, visible_B1LL=visible[:, None], heads=heads)
        expected = relations_by_documents(student, teacher, heads=heads)
        torch.testing.assert_close(loss, expected)
        gradients = [torch.autograd.grad(value, student)[0] for value in (loss, expected)]
        torch.testing.assert_close(*gradients)
        assert gradients[0][~real].abs().max() == 0


def test_relations_are_kept_by_a_rotation_within_each_head():
    teacher, rotation = torch.randn(2, 5, 12), torch.linalg.qr(torch.randn(3, 3))[0]
    student = (teacher.unflatten(-1, (4, 3)) @ rotation).flatten(2)
    both, visible = torch.ones(2, 5).bool(), torch.ones(2, 1, 5, 5).bool()
    loss = relation_loss(student, teacher, real_BL=both, visible_B1LL=visible, heads=4)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert relation_loss(student, teacher, real_BL=both, visible_B1LL=visible, heads=6).item() > 1e-3


def test_scores_of_relations_are_not_rounded_to_bfloat16():
    student, teacher = (5 * torch.randn(2, 5, 8).bfloat16() for _ in range(2))
    both, visible = torch.ones(2, 5).bool(), torch.ones(2, 1, 5, 5).bool()
    expected = relation_loss(student.float(), teacher.float(), real_BL=both, visible_B1LL=visible, heads=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = relation_loss(student, teacher, real_BL=both, visible_B1LL=visible, heads=2)
    assert torch.equal(loss, expected)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_soft_cross_entropy_by_hand(temperature: float):
    student, teacher = torch.tensor([[0.0, math.log(3.0)]]), torch.tensor([[math.log(4.0), 0.0]])
    # softened, the student predicts (1/4, 3/4), the teacher (4/5, 1/5)
    expected = -(0.8 * math.log(0.25) + 0.2 * math.log(0.75)) * temperature**2
    loss = soft_cross_entropy(student * temperature, teacher * temperature, temperature=temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_soft_cross_entropy_is_kullback_leibler_plus_the_teachers_entropy():
    student, teacher = torch.randn(6, 11), torch.randn(6, 11)
    p = (teacher / 1.7).softmax(-1)
    divergence = F.kl_div((student / 1.7).log_softmax(-1), p, reduction="batchmean")
    entropy = -(p * p.log()).sum(-1).mean()
    loss = soft_cross_entropy(student, teacher, temperature=1.7)
    torch.testing.assert_close(loss, (divergence + entropy) * 1.7**2)


def test_soft_cross_entropy_of_no_row_is_0():
    student = torch.zeros(0, 11, requires_grad=True)
    loss = soft_cross_entropy(student, torch.zeros(0, 11), temperature=2.0)
    loss.backward()
    assert loss.item() == 0.0
