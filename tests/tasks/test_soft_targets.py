import math

import pytest
import torch

from stages.tasks.soft_targets import soft_cross_entropy


def test_soft_cross_entropy_is_the_hand_worked_sum_over_classes_times_the_temperature_squared():
    # At T = 2 the teacher's (0, 2 ln 3) is softened to (1/4, 3/4), the student's (2 ln 4, 0) to (4/5, 1/5).
    teacher = torch.tensor([[0.0, 2 * math.log(3)]])
    student = torch.tensor([[2 * math.log(4), 0.0]])
    by_hand = -4 * (math.log(4 / 5) / 4 + 3 * math.log(1 / 5) / 4)
    assert soft_cross_entropy(student, teacher, temperature=2.0).item() == pytest.approx(by_hand, rel=1e-6)


def test_soft_cross_entropy_is_a_mean_over_examples():
    teacher, student = torch.randn(5, 3), torch.randn(5, 3)
    each = [soft_cross_entropy(student[i : i + 1], teacher[i : i + 1], temperature=1.7) for i in range(5)]
    torch.testing.assert_close(soft_cross_entropy(student, teacher, temperature=1.7), torch.stack(each).mean())


def test_soft_cross_entropy_is_kullback_leibler_plus_the_teachers_entropy():
    teacher, student = torch.randn(4, 6), torch.randn(4, 6)
    wanted, found = teacher.log_softmax(-1), student.log_softmax(-1)
    divergence = (wanted.exp() * (wanted - found)).sum(-1).mean()
    entropy = -(wanted.exp() * wanted).sum(-1).mean()
    torch.testing.assert_close(soft_cross_entropy(student, teacher, temperature=1.0), divergence + entropy)
