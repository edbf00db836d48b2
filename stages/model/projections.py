"""Linear maps from a student's width to its teacher's, one for the embeddings and one for each layer's output.

TinyBERT's W_e and W_h (Jiao et al. 2020, equations 8 and 9), one for each state as in the models its authors
released. They are needed to train only, and are kept in a file beside the model.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

FILE = "projections.safetensors"


def for_channels(kept: list[int], *, teacher: int, states: int) -> nn.ModuleList:
    """Maps that put student channel i where it was cut from, `kept[i]` of `teacher` channels; the rest starts at 0.

    A random start, as TinyBERT's, would make a student that was cut out of its teacher unlearn what it has.
    """
    maps = nn.ModuleList(nn.Linear(len(kept), teacher) for _ in range(states))
    for one in maps:
        assert isinstance(one, nn.Linear)
        nn.init.zeros_(one.weight)
        nn.init.zeros_(one.bias)
        with torch.no_grad():
            one.weight[kept, range(len(kept))] = 1.0
    return maps


def save(maps: nn.ModuleList, folder: Path) -> None:
    save_file(maps.state_dict(), folder / FILE)


def load(folder: Path) -> nn.ModuleList:
    """The maps that `save` wrote into `folder`."""
    weights = load_file(folder / FILE)
    states = len(weights) // 2
    teacher, student = weights["0.weight"].shape
    maps = nn.ModuleList(nn.Linear(student, teacher) for _ in range(states))
    maps.load_state_dict(weights)
    return maps
