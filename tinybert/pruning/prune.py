"""A smaller student from a teacher's weights, without training, by one of several methods.

D the teacher's and k the student's hidden size.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers import BertConfig, BertForPreTraining

from tinybert.pruning.calibration import Text, trace
from tinybert.pruning.cut import Cut, apply_cut, first_channels, important_channels, random_channels
from tinybert.pruning.importance import layer_influence
from tinybert.pruning.layers import choose_layers
from tinybert.pruning.rotation import rotate
from tinybert.pruning.shape import Shape, student_config

METHODS = ("rotation", "importance", "first", "random", "scratch")


@dataclass(frozen=True)
class Pruned:
    """A student, and how it was made."""

    student: BertForPreTraining
    basis_Dk: torch.Tensor
    """The student's channels in those of its teacher, [D, k] float32."""
    layers: list[int]
    """Those of the teacher that it was made of."""
    record: dict[str, Any]
    """What was chosen and by which scores, to be written as JSON."""


def prune(
    teacher: BertForPreTraining, texts: Sequence[Text], *, num_hidden_layers: int, hidden_size: int,
    intermediate_size: int, num_attention_heads: int | None = None, keep_layers: str | list[int] = "uniform",
    method: str = "rotation", seed: int = 0,
) -> Pruned:  # fmt: skip
    """A student of this shape with weights of `teacher`, as many heads as it by default.

    `texts` are calibration text (calibration.texts_of), some ten thousand tokens; the methods "first", "random" and
    "scratch" with layers by another rule than "importance" need none. `seed` draws the choice of "random", the weights
    of "scratch" and the silent channels of "rotation". Raises InputError when a size is above the teacher's, or
    `keep_layers` does not fit (choose_layers).
    """
    shape = Shape(hidden_size, num_attention_heads or teacher.config.num_attention_heads, intermediate_size)
    influence = layer_influence(teacher.bert, texts) if keep_layers == "importance" else []
    layers = choose_layers(
        keep_layers, student=num_hidden_layers, teacher=teacher.config.num_hidden_layers, influence=influence
    )
    config = student_config(teacher.config, shape, layers=len(layers))
    chosen = {"method": method, "layers": layers} | ({"influence": influence} if influence else {})
    if method == "rotation":
        traced = trace(teacher.bert, texts, layers=layers)
        student, basis_Dk = rotate(teacher, traced, texts, layers=layers, shape=shape, seed=seed)
        energy = (basis_Dk.T @ traced.stream_DD @ basis_Dk).diagonal()
        return Pruned(student, basis_Dk.float(), layers, chosen | {"energy": energy.tolist()})
    if method == "scratch":
        return Pruned(*_random(config, teacher.config.hidden_size, seed), layers, chosen)
    cut, scores = _cut(teacher, texts, method, layers=layers, shape=shape, seed=seed)
    basis_Dk = cut.basis(teacher.config.hidden_size)
    return Pruned(apply_cut(teacher, cut), basis_Dk, layers, chosen | asdict(cut) | scores)


def _random(config: BertConfig, width: int, seed: int) -> tuple[BertForPreTraining, torch.Tensor]:
    """A student with BERT's random weights, and a random orthonormal basis for its projections, [D, k]."""
    torch.manual_seed(seed)
    return BertForPreTraining(config), torch.nn.init.orthogonal_(torch.empty(width, config.hidden_size))


def _cut(
    teacher: BertForPreTraining, texts: Sequence[Text], method: str, *, layers: list[int], shape: Shape, seed: int
) -> tuple[Cut, dict[str, list[float]]]:
    """What is kept, and the scores of the teacher's hidden channels where some were computed."""
    if method == "first":
        return first_channels(teacher.config, layers=layers, shape=shape), {}
    if method == "random":
        return random_channels(teacher.config, layers=layers, shape=shape, seed=seed), {}
    traced = trace(teacher.bert, texts, layers=layers)
    cut = important_channels(teacher, traced, layers=layers, shape=shape)
    return cut, {"energy": traced.stream_DD.diagonal().tolist()}
