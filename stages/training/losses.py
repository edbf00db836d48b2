"""TinyBERT's losses (Jiao et al. 2020), each a mean over real tokens.

The authors' code averages over padding too, and divides the soft cross-entropy by the number of classes; neither is
in the paper, and both make a loss depend on what it should not. B batch, L length, H width, h heads, M positions,
V vocabulary.
"""

import torch
from torch.nn import functional as F


def hidden_loss(student_BLH: torch.Tensor, teacher_BLH: torch.Tensor, real_BL: torch.Tensor) -> torch.Tensor:
    """Mean squared error over real tokens and channels: equations 8 (hidden states) and 9 (embeddings).

    `student_BLH` has been projected to the teacher's width. `real_BL` is True where there is a token.
    """
    error_BL = (student_BLH.float() - teacher_BLH.float()).pow(2).mean(-1)
    return (error_BL * real_BL).sum() / real_BL.sum()


def attention_loss(student_BhLL: torch.Tensor, teacher_BhLL: torch.Tensor, visible_B1LL: torch.Tensor) -> torch.Tensor:
    """Mean squared error of scores before the softmax, over heads and real pairs of tokens: equation 7.

    `visible_B1LL` is True where a token (third axis) attends to another (fourth axis), both real.
    """
    error_BhLL = (student_BhLL.float() - teacher_BhLL.float()).pow(2)
    return (error_BhLL * visible_B1LL).sum() / (visible_B1LL.sum() * student_BhLL.shape[1])


def prediction_loss(student_MV: torch.Tensor, teacher_MV: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """Cross-entropy to the teacher's softened distribution, a mean over positions, 0 where none: equation 10.

    Times temperature squared, which keeps the size of the gradients (Hinton et al. 2015, section 2); TinyBERT's
    temperature is 1, where it changes nothing.
    """
    target_MV = F.softmax(teacher_MV.float() / temperature, -1)
    reduction = "mean" if len(target_MV) else "sum"
    return F.cross_entropy(student_MV.float() / temperature, target_MV, reduction=reduction) * temperature**2
