"""Structured pruning: a narrower, shallower BERT made of a teacher's weights.

H hidden channels, A attention channels (all heads side by side, as many as H), F intermediate neurons.
A post-norm BERT adds every layer's output into one residual stream of H channels, so that one choice of channels holds
for the embeddings, every layer and the head.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from transformers import BertConfig, BertForPreTraining

from tinybert.errors import InputError

# Parameter name -> its axes, one letter each; "." is an axis that is kept whole.
AXES = {
    r"embeddings\.(word|position|token_type)_embeddings\.weight": ".H",
    r"(LayerNorm|transform\.LayerNorm)\.(weight|bias)": "H",
    r"attention\.self\.(query|key|value)\.weight": "AH",
    r"attention\.self\.(query|key|value)\.bias": "A",
    r"attention\.output\.dense\.weight": "HA",
    r"intermediate\.dense\.weight": "FH",
    r"intermediate\.dense\.bias": "F",
    r"(?<!attention\.)output\.dense\.weight": "HF",
    r"output\.dense\.bias": "H",
    r"(pooler|transform)\.dense\.weight": "HH",
    r"(pooler|transform)\.dense\.bias": "H",
    r"predictions\.decoder\.weight": ".H",
    r"predictions\.(decoder\.)?bias": ".",
    r"seq_relationship\.weight": ".H",
    r"seq_relationship\.bias": ".",
}


@dataclass(frozen=True)
class Cut:
    """What a student keeps, as indices into its teacher."""

    layers: list[int]
    hidden: list[int]
    attention: list[int]
    intermediate: list[int]
    num_attention_heads: int


def first_channels(
    config: BertConfig, *, layers: list[int], hidden_size: int, num_attention_heads: int, intermediate_size: int
) -> Cut:
    """Keep the first channels and neurons, and where possible the first channels of each of the first heads.

    `config` is the teacher's. Heads that are wider or more than the teacher's are filled with its channels in order.
    Raises InputError when a width is above the teacher's.
    """
    _require_not_wider(config, hidden_size=hidden_size, intermediate_size=intermediate_size)
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
    config: dict[str, Any] = teacher.config.to_dict() | {
        "num_hidden_layers": len(cut.layers),
        "hidden_size": len(cut.hidden),
        "num_attention_heads": cut.num_attention_heads,
        "intermediate_size": len(cut.intermediate),
    }
    student = BertForPreTraining(type(teacher.config)(**config))
    weights = teacher.state_dict()
    student.load_state_dict({name: _slice(weights, name, cut) for name in student.state_dict()})
    _keep_score_size(student, teacher)
    return student


def as_json(cut: Cut) -> dict[str, Any]:
    """The fields of `cut` by name."""
    return asdict(cut)


def _require_not_wider(config: BertConfig, **sizes: int) -> None:
    wider = [f"{name} is {size}, the teacher's is {getattr(config, name)}" for name, size in sizes.items()
             if size > getattr(config, name)]  # fmt: skip
    if wider:
        raise InputError(f"the student cannot be wider than its teacher: {'; '.join(wider)}")


def _slice(weights: dict[str, torch.Tensor], name: str, cut: Cut) -> torch.Tensor:
    source = re.sub(r"encoder\.layer\.(\d+)", lambda m: f"encoder.layer.{cut.layers[int(m[1])]}", name)
    kept = {"H": cut.hidden, "A": cut.attention, "F": cut.intermediate}
    weight = weights[source]
    for axis, letter in enumerate(_axes(name)):
        if letter != ".":
            weight = weight.index_select(axis, torch.tensor(kept[letter]))
    return weight


def _axes(name: str) -> str:
    matches = [axes for pattern, axes in AXES.items() if re.search(rf"{pattern}$", name)]
    assert len(matches) == 1, f"{name} matches {matches}"
    return matches[0]


def _keep_score_size(student: BertForPreTraining, teacher: BertForPreTraining) -> None:
    ratio = _head_size(teacher.config) / _head_size(student.config)
    for layer in student.bert.encoder.layer:
        query: nn.Linear = layer.get_submodule("attention.self.query")  # type: ignore[assignment]
        with torch.no_grad():
            query.weight.mul_(ratio**0.5)
            query.bias.mul_(ratio**0.5)


def _head_size(config: BertConfig) -> int:
    return config.hidden_size // config.num_attention_heads
