"""The teacher of a distillation, whose forward pass takes most of the time."""

from copy import deepcopy
from typing import TypeVar

from accelerate import Accelerator
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def cast_linear_weights_to_bf16(teacher: Model, accelerator: Accelerator) -> Model:
    """A teacher with the bits that autocast computes, which does not round all of its matrices in every step.

    In float32 it is `teacher` itself, else a copy that works under autocast only.
    """
    if accelerator.mixed_precision != "bf16":
        return teacher
    rounded = deepcopy(teacher)
    for module in rounded.modules():
        if isinstance(module, nn.Linear):
            # Not in place: the output layer shares its matrix with the word embeddings, which are not rounded.
            for name, weight in [*module.named_parameters(recurse=False)]:
                setattr(module, name, nn.Parameter(weight.detach().bfloat16(), requires_grad=False))
    return rounded
