"""Structured pruning by selection: a student that keeps some of its teacher's layers, channels and neurons.

H hidden channels, Q channels of queries and keys and V of values (all heads side by side, as many as H), F intermediate
neurons. A post-norm BERT adds every layer's output into one residual stream of H channels, so that one choice of these
holds for the embeddings, every layer and the head; the others are chosen layer by layer.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from transformers import BertConfig, BertForPreTraining

from tinybert.pruning.calibration import Trace
from tinybert.pruning.importance import head_channels, hidden_channels, neurons
from tinybert.pruning.shape import Shape, student_config

# Parameter name -> its axes, one letter each; "." is an axis that is kept whole.
AXES = {
    r"(_embeddings|predictions\.decoder|seq_relationship)\.weight": ".H",
    r"LayerNorm\.(weight|bias)": "H",
    r"attention\.self\.(query|key)\.weight": "QH",
    r"attention\.self\.(query|key)\.bias": "Q",
    r"attention\.self\.value\.weight": "VH",
    r"attention\.self\.value\.bias": "V",
    r"attention\.output\.dense\.weight": "HV",
    r"intermediate\.dense\.weight": "FH",
    r"intermediate\.dense\.bias": "F",
    r"(?<!attention\.)output\.dense\.weight": "HF",
    r"(pooler|transform)\.dense\.weight": "HH",
    r"(output|pooler|transform)\.dense\.bias": "H",
    r"(predictions|predictions\.decoder|seq_relationship)\.bias": ".",
}
LAYER = re.compile(r"encoder\.layer\.(\d+)")
Choice = Callable[[int, int], torch.Tensor]
"""Which of so many channels stay, given how many do."""


@dataclass(frozen=True)
class Cut:
    """What a student keeps, as indices into its teacher; `query`, `value` and `intermediate` by the student's layer."""

    layers: list[int]
    num_attention_heads: int
    hidden: list[int]
    query: list[list[int]]
    """Channels of queries and keys."""
    value: list[list[int]]
    intermediate: list[list[int]]

    def basis(self, width: int) -> torch.Tensor:
        """The student's channels in those of its teacher, which has `width`: a column each with a single 1, [D, k]."""
        return torch.eye(width)[:, self.hidden]

    @property
    def shape(self) -> Shape:
        return Shape(len(self.hidden), self.num_attention_heads, len(self.intermediate[0]))


def first_channels(config: BertConfig, *, layers: list[int], shape: Shape) -> Cut:
    """Keep the first channels and neurons, and where possible the first channels of each of the first heads.

    `config` is the teacher's. Heads that are wider or more than the teacher's are filled with its channels in order.
    """
    return _everywhere(config, layers, shape, lambda size, kept: torch.arange(kept))


def random_channels(config: BertConfig, *, layers: list[int], shape: Shape, seed: int) -> Cut:
    """Keep channels, neurons and channels of the first heads that are drawn from `seed`, to compare with."""
    generator = torch.Generator().manual_seed(seed)
    return _everywhere(config, layers, shape, lambda size, kept: torch.randperm(size, generator=generator)[:kept])


def important_channels(teacher: BertForPreTraining, traced: Trace, *, layers: list[int], shape: Shape) -> Cut:
    """Keep what is largest on calibration text (see importance.py); `traced` is of these layers."""
    hidden = hidden_channels(traced.stream_DD, shape.hidden_size)
    query, value, intermediate = [], [], []
    for n, part in zip(layers, traced.layers, strict=True):
        layer = teacher.bert.encoder.get_submodule(f"layer.{n}")
        attention, feed_forward = (layer.get_parameter(f"{name}output.dense.weight") for name in ("attention.", ""))
        channels = head_channels(part, attention.detach().double()[hidden], shape=shape,
                                 heads=teacher.config.num_attention_heads)  # fmt: skip
        query.append(channels.query)
        value.append(channels.value)
        intermediate.append(neurons(part, feed_forward.detach().double()[hidden], shape.intermediate_size))
    return Cut(layers, shape.num_attention_heads, hidden, query, value, intermediate)


def apply_cut(teacher: BertForPreTraining, cut: Cut) -> BertForPreTraining:
    """The student that `cut` describes; with everything kept, a copy of the teacher.

    The scores of a head are a sum over its channels divided by the root of their number. The queries of a head cut from
    D channels to d are multiplied by sqrt(D / d), which keeps the expected size of its scores. Raises InputError when a
    width is above the teacher's.
    """
    student = BertForPreTraining(student_config(teacher.config, cut.shape, layers=len(cut.layers)))
    weights = teacher.state_dict()
    student.load_state_dict({name: _slice(weights, name, cut) for name in student.state_dict()})
    _keep_score_size(student, teacher)
    return student


def _everywhere(config: BertConfig, layers: list[int], shape: Shape, choose: Choice) -> Cut:
    student_config(config, shape, layers=len(layers))
    hidden = _sorted(choose(config.hidden_size, shape.hidden_size))
    attention = [[*_attention(config, shape, choose)] for _ in layers]
    intermediate = [_sorted(choose(config.intermediate_size, shape.intermediate_size)) for _ in layers]
    return Cut(layers, shape.num_attention_heads, hidden, attention, attention, intermediate)


def _attention(config: BertConfig, shape: Shape, choose: Choice) -> Iterator[int]:
    head = config.hidden_size // config.num_attention_heads
    if shape.head_size > head or shape.num_attention_heads > config.num_attention_heads:
        yield from _sorted(choose(config.hidden_size, shape.hidden_size))
        return
    for n in range(shape.num_attention_heads):
        yield from (n * head + channel for channel in _sorted(choose(head, shape.head_size)))


def _sorted(channels: torch.Tensor) -> list[int]:
    return channels.sort().values.tolist()


def _slice(weights: dict[str, torch.Tensor], name: str, cut: Cut) -> torch.Tensor:
    found = LAYER.search(name)
    n = int(found[1]) if found else 0
    weight = weights[LAYER.sub(f"encoder.layer.{cut.layers[n]}", name)]
    kept = {"H": cut.hidden, "Q": cut.query[n], "V": cut.value[n], "F": cut.intermediate[n]}
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
