"""Losses to a teacher's predictions, means over examples.

A module of its own, since the kinds of task import it: an edited loss of hidden states fine-tunes no teacher again.
N examples or masked tokens, C classes or vocabulary.
"""

from torch import Tensor
from torch.nn import functional as F


def soft_cross_entropy(student_NC: Tensor, teacher_NC: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of the student's to the teacher's softened probabilities, 0 where N is 0: equation 10.

    -T^2 / N * sum_n sum_c softmax(teacher / T) log_softmax(student / T). T^2 keeps the size of the gradients when the
    temperature changes (Hinton et al. 2015, arXiv:1503.02531, section 2); TinyBERT's T is 1, and its authors' code
    divides by the number of classes too, which is not in the paper.
    """
    targets_NC = F.softmax(teacher_NC.float() / temperature, -1)
    reduction = "mean" if len(targets_NC) else "sum"
    return F.cross_entropy(student_NC.float() / temperature, targets_NC, reduction=reduction) * temperature**2


def soft_binary_cross_entropy(student_NC: Tensor, teacher_NC: Tensor, *, temperature: float) -> Tensor:
    """Cross-entropy of the student's to the teacher's softened probabilities of each label by itself.

    The mean over N examples and C labels of -T^2 (p log q + (1 - p) log (1 - q)), p and q the sigmoids of teacher / T
    and student / T: `soft_cross_entropy` for labels that do not exclude each other.
    """
    targets_NC = (teacher_NC.float() / temperature).sigmoid()
    return F.binary_cross_entropy_with_logits(student_NC.float() / temperature, targets_NC) * temperature**2


def soft_squared_error(student_N1: Tensor, teacher_N1: Tensor) -> Tensor:
    """Mean squared error of the student's scores to the teacher's; a score has no temperature."""
    return F.mse_loss(student_N1.float(), teacher_N1.float())
