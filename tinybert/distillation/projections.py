"""Linear projections from the student's width to the teacher's, one for the embeddings and one for each layer's output.

TinyBERT's W_e and W_h (Jiao et al. 2020, equations 8 and 9), one for each state as in the models that its authors
released. Only training needs them; they are kept in a file beside the model.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

FILE = "projections.safetensors"


def for_channels(kept: list[int], *, teacher: int, states: int) -> nn.ModuleList:
    """Projections that map student channel i to the teacher channel that it was cut from, `kept[i]`; all else is 0.

    A random start, as TinyBERT's, would make a student that was cut out of its teacher unlearn what it has. `teacher`
    is the teacher's width, `states` the number of projections: the student's layers and 1.
    """
    projections = nn.ModuleList(nn.Linear(len(kept), teacher) for _ in range(states))
    for projection in projections:
        assert isinstance(projection, nn.Linear)
        nn.init.zeros_(projection.weight)
        nn.init.zeros_(projection.bias)
        with torch.no_grad():
            projection.weight[kept, range(len(kept))] = 1.0
    return projections


def save(projections: nn.ModuleList, folder: Path) -> None:
    """Write the projections into `folder`."""
    save_file(projections.state_dict(), folder / FILE)


def load(folder: Path) -> nn.ModuleList:
    """The projections that `save` wrote into `folder`."""
    weights = load_file(folder / FILE)
    teacher, student = weights["0.weight"].shape
    projections = nn.ModuleList(nn.Linear(student, teacher) for _ in range(len(weights) // 2))
    projections.load_state_dict(weights)
    return projections
