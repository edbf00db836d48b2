"""Losses to a teacher's hidden states and attention scores (TinyBERT: Jiao et al. 2020), means over real tokens.

The authors' code averages over padding too, which is not in the paper and makes a loss depend on the batch.
B batch, L length, H width, h heads.
"""

from torch import Tensor


def hidden_loss(student_BLH: Tensor, teacher_BLH: Tensor, real_BL: Tensor) -> Tensor:
    """Mean squared error over real tokens and channels: equations 8 (hidden states) and 9 (embeddings).

    `student_BLH` has been projected to the teacher's width. `real_BL` is True where there is a token.
    """
    error_BL = (student_BLH.float() - teacher_BLH.float()).pow(2).mean(-1)
    return (error_BL * real_BL).sum() / real_BL.sum()


def attention_loss(student_BhLL: Tensor, teacher_BhLL: Tensor, visible_B1LL: Tensor) -> Tensor:
    """Mean squared error of scores before the softmax, over heads and real pairs of tokens: equation 7.

    `visible_B1LL` is True where a token (third axis) attends to another (fourth axis), both real.
    """
    error_BhLL = (student_BhLL.float() - teacher_BhLL.float()).pow(2)
    return (error_BhLL * visible_B1LL).sum() / (visible_B1LL.sum() * student_BhLL.shape[1])
