"""Distillation losses, worked by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from tinybert.distillation.losses import attention_loss, hidden_loss
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
    student, teacher = torch.zeros(1, 2, 2, 2), torch.tensor([[[[1.0, 7.0], [2.0, 3.0]], [[1.0, 7.0], [0.0, 1.0]]]])
    visible = torch.tensor([[[[True, False], [True, True]]]])
    # first head 1 + 4 + 9, second 1 + 0 + 1, over 3 pairs and 2 heads; the 7s are pairs that do not count
    assert attention_loss(student, teacher, visible).item() == pytest.approx((14 + 2) / 6)


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
