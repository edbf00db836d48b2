"""Losses of a student against its teacher's predictions."""

import torch.nn.functional as F
from torch import Tensor


def soft_cross_entropy(student_NC: Tensor, teacher_NC: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of the student's to the teacher's softened probabilities: a sum over C, a mean over N, times T^2.

    -T^2 / N * sum_n sum_c softmax(teacher / T) log_softmax(student / T), Hinton, Vinyals and Dean 2015
    (arXiv:1503.02531), section 2; T^2 keeps the gradient's size when the temperature changes.
    """
    targets_NC = (teacher_NC.float() / temperature).softmax(dim=-1)
    return F.cross_entropy(student_NC.float() / temperature, targets_NC) * temperature**2


def soft_squared_error(student_N1: Tensor, teacher_N1: Tensor) -> Tensor:
    """Mean squared error of the student's scores to the teacher's; a score has no temperature."""
    return F.mse_loss(student_N1.float(), teacher_N1.float())
