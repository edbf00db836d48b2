"""Cut a narrower, shallower BERT out of a teacher's weights.

H hidden channels, A attention channels (all heads side by side, as many as H), F intermediate neurons.
A post-norm BERT adds every layer's output into one stream of H channels, so that one choice of channels holds for
the embeddings, every layer and the head.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from transformers import BertForPreTraining

from stages.pipeline.errors import InputError

# Parameter name -> what its axes count: one letter an axis, "." for an axis that is kept whole.
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
    """What stays: indices into the teacher."""

    layers: list[int]
    hidden: list[int]
    attention: list[int]
    intermediate: list[int]
    num_attention_heads: int


def first_channels(
    config, *, layers: list[int], hidden_size: int, num_attention_heads: int, intermediate_size: int
) -> Cut:
    """The first channels and neurons, and where it can be the first channels inside each of the first heads.

    Heads that get wider than the teacher's are filled from the teacher's heads in their order. Raises InputError
    when a width is above the teacher's.
    """
    _must_not_grow(config, hidden_size=hidden_size, intermediate_size=intermediate_size)
    head, teacher_head = hidden_size // num_attention_heads, config.hidden_size // config.num_attention_heads
    if head <= teacher_head and num_attention_heads <= config.num_attention_heads:
        attention = [h * teacher_head + c for h in range(num_attention_heads) for c in range(head)]
    else:
        attention = list(range(hidden_size))
    return Cut(layers, list(range(hidden_size)), attention, list(range(intermediate_size)), num_attention_heads)


def cut_out(teacher: BertForPreTraining, cut: Cut) -> BertForPreTraining:
    """The student that `cut` describes; with everything kept, a copy of the teacher.

    The scores of a head are a sum over its channels divided by the root of their number. Of a head cut from D
    channels to d, queries are multiplied by sqrt(D / d), which keeps the expected size of its scores.
    """
    config: dict[str, Any] = teacher.config.to_dict() | {
        "num_hidden_layers": len(cut.layers),
        "hidden_size": len(cut.hidden),
        "num_attention_heads": cut.num_attention_heads,
        "intermediate_size": len(cut.intermediate),
    }
    student = BertForPreTraining(type(teacher.config)(**config))
    weights = {k: v for k, v in teacher.state_dict().items()}
    student.load_state_dict({name: _slice(weights, name, cut) for name in student.state_dict()})
    _keep_score_size(student, teacher)
    return student


def as_json(cut: Cut) -> dict:
    return asdict(cut)


def _must_not_grow(config, **wanted: int) -> None:
    wider = [f"{name} is {size}, the teacher's is {getattr(config, name)}" for name, size in wanted.items()
             if size > getattr(config, name)]  # fmt: skip
    if wider:
        raise InputError(f"a student is cut out of its teacher and cannot be wider: {'; '.join(wider)}")


def _slice(weights: dict[str, torch.Tensor], name: str, cut: Cut) -> torch.Tensor:
    source = re.sub(r"encoder\.layer\.(\d+)", lambda m: f"encoder.layer.{cut.layers[int(m[1])]}", name)
    kept = {"H": cut.hidden, "A": cut.attention, "F": cut.intermediate}
    weight = weights[source]
    for axis, letter in enumerate(_axes(name)):
        if letter != ".":
            weight = weight.index_select(axis, torch.tensor(kept[letter]))
    return weight


def _axes(name: str) -> str:
    found = [axes for pattern, axes in AXES.items() if re.search(rf"{pattern}$", name)]
    assert len(found) == 1, f"{name} matches {found}"
    return found[0]


def _keep_score_size(student: BertForPreTraining, teacher: BertForPreTraining) -> None:
    ratio = _head_size(teacher.config) / _head_size(student.config)
    for layer in student.bert.encoder.layer:
        query: nn.Linear = layer.get_submodule("attention.self.query")  # type: ignore[assignment]
        with torch.no_grad():
            query.weight.mul_(ratio**0.5)
            query.bias.mul_(ratio**0.5)


def _head_size(config) -> int:
    return config.hidden_size // config.num_attention_heads
