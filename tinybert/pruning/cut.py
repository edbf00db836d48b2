"""Structured pruning: a narrower, shallower BERT made of a teacher's weights.

H hidden channels, A attention channels (all heads side by side, as many as H), F intermediate neurons.
A post-norm BERT adds every layer's output into one residual stream of H channels, so that one choice of channels holds
for the embeddings, every layer and the head.
"""

import re
from dataclasses import dataclass
from typing import Any

import torch
from transformers import BertConfig, BertForPreTraining

from tinybert.errors import InputError
from tinybert.pruning.layers import choose_layers

# Parameter name -> its axes, one letter each; "." is an axis that is kept whole.
AXES = {
    r"(_embeddings|predictions\.decoder|seq_relationship)\.weight": ".H",
    r"LayerNorm\.(weight|bias)": "H",
    r"attention\.self\.(query|key|value)\.weight": "AH",
    r"attention\.self\.(query|key|value)\.bias": "A",
    r"attention\.output\.dense\.weight": "HA",
    r"intermediate\.dense\.weight": "FH",
    r"intermediate\.dense\.bias": "F",
    r"(?<!attention\.)output\.dense\.weight": "HF",
    r"(pooler|transform)\.dense\.weight": "HH",
    r"(output|pooler|transform)\.dense\.bias": "H",
    r"(predictions|predictions\.decoder|seq_relationship)\.bias": ".",
}


@dataclass(frozen=True)
class Cut:
    """What a student keeps, as indices into its teacher."""

    layers: list[int]
    hidden: list[int]
    attention: list[int]
    intermediate: list[int]
    num_attention_heads: int

    def basis(self, width: int) -> torch.Tensor:
        """The student's channels in those of its teacher, which has `width`: a column each with a single 1, [D, k]."""
        return torch.eye(width)[:, self.hidden]


def prune(
    teacher: BertForPreTraining, *, num_hidden_layers: int, hidden_size: int, intermediate_size: int,
    num_attention_heads: int | None = None, keep_layers: str | list[int] = "uniform",
) -> tuple[BertForPreTraining, Cut]:  # fmt: skip
    """A student of this shape with weights of `teacher`, as many heads as it by default, and what it keeps.

    Raises InputError when a size is above the teacher's, or `keep_layers` does not fit (see choose_layers).
    """
    layers = choose_layers(keep_layers, student=num_hidden_layers, teacher=teacher.config.num_hidden_layers)
    heads = num_attention_heads or teacher.config.num_attention_heads
    cut = first_channels(teacher.config, layers=layers, hidden_size=hidden_size, num_attention_heads=heads,
                         intermediate_size=intermediate_size)  # fmt: skip
    return apply_cut(teacher, cut), cut


def first_channels(
    config: BertConfig, *, layers: list[int], hidden_size: int, num_attention_heads: int, intermediate_size: int
) -> Cut:
    """Keep the first channels and neurons, and where possible the first channels of each of the first heads.

    `config` is the teacher's. Heads that are wider or more than the teacher's are filled with its channels in order.
    Raises InputError when a width is above the teacher's.
    """
    sizes = {"hidden_size": hidden_size, "intermediate_size": intermediate_size}
    wider = [f"{name} is {size}, the teacher's is {getattr(config, name)}" for name, size in sizes.items()
             if size > getattr(config, name)]  # fmt: skip
    if wider:
        raise InputError(f"the student cannot be wider than its teacher: {'; '.join(wider)}")
    head, teacher_head = hidden_size // num_attention_heads, config.hidden_size // config.num_attention_heads
    if head <= teacher_head and num_attention_heads <= config.num_attention_heads:
        attention = [h * teacher_head + c for h in range(num_attention_heads) for c in range(head)]
    else:
        attention = list(range(hidden_size))
    return Cut(layers, list(range(hidden_size)), attention, list(range(intermediate_size)), num_attention_heads)


def apply_cut(teacher: BertForPreTraining, cut: Cut) -> BertForPreTraining:
    """The student that `cut` describes; with everything kept, a copy of the teacher.

    The scores of a head are a sum over its channels divided by the root of their number. The queries of a head cut from
    D channels to d are multiplied by sqrt(D / d), which keeps the expected size of its scores.
    """
    sizes = {"num_hidden_layers": len(cut.layers), "hidden_size": len(cut.hidden),
             "num_attention_heads": cut.num_attention_heads, "intermediate_size": len(cut.intermediate)}  # fmt: skip
    config: dict[str, Any] = teacher.config.to_dict() | sizes
    student = BertForPreTraining(type(teacher.config)(**config))
    weights = teacher.state_dict()
    student.load_state_dict({name: _slice(weights, name, cut) for name in student.state_dict()})
    _keep_score_size(student, teacher)
    return student


def _slice(weights: dict[str, torch.Tensor], name: str, cut: Cut) -> torch.Tensor:
    source = re.sub(r"encoder\.layer\.(\d+)", lambda m: f"encoder.layer.{cut.layers[int(m[1])]}", name)
    kept = {"H": cut.hidden, "A": cut.attention, "F": cut.intermediate}
    weight = weights[source]
    matches = [axes for pattern, axes in AXES.items() if re.search(rf"{pattern}$", name)]
    assert len(matches) == 1, f"{name} matches {matches}"
    for axis, letter in enumerate(matches[0]):
        if letter != ".":
            weight = weight.index_select(axis, torch.tensor(kept[letter]))
    return weight


def _keep_score_size(student: BertForPreTraining, teacher: BertForPreTraining) -> None:
    teacher_head, head = (model.config.hidden_size // model.config.num_attention_heads for model in (teacher, student))
    with torch.no_grad():
        for layer in student.bert.encoder.layer:
            for weight in layer.get_submodule("attention.self.query").parameters():
                weight.mul_((teacher_head / head) ** 0.5)
