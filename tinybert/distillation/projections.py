"""Projections from the student's width to the teacher's, through which inner states are compared.

TinyBERT's W_e and W_h (Jiao et al. 2020, equations 8 and 9): linear maps, one for the embeddings and one for each
layer's output, as in the models that its authors released. Only training needs them; they are kept in a file beside
the model. D the teacher's and k the student's hidden size.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

PROJECTIONS = "projections.safetensors"


def projections_from(basis_Dk: torch.Tensor, *, states: int) -> nn.ModuleList:
    """`states` projections, the student's layers and 1, which start at the basis that the student was pruned in.

    A random start, as TinyBERT's, would lose what a student pruned from its teacher starts with.
    """
    teacher, student = basis_Dk.shape
    projections = nn.ModuleList(nn.Linear(student, teacher) for _ in range(states))
    with torch.no_grad():
        for name, parameter in projections.named_parameters():
            parameter.copy_(basis_Dk if name.endswith("weight") else torch.zeros(teacher))
    return projections


def save_projections(projections: nn.ModuleList, folder: Path) -> None:
    """Write the projections into `folder`."""
    save_file(projections.state_dict(), folder / PROJECTIONS)


def load_projections(folder: Path) -> nn.ModuleList:
    """The projections that `save_projections` wrote into `folder`."""
    weights = load_file(folder / PROJECTIONS)
    teacher, student = weights["0.weight"].shape
    projections = nn.ModuleList(nn.Linear(student, teacher) for _ in range(len(weights) // 2))
    projections.load_state_dict(weights)
    return projections
