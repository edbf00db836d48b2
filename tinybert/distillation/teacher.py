"""The forward pass of a teacher: its inner states, captured with hooks, and its weights in bfloat16.

A student's states are captured alike. With hooks the fast attention kernel stays on. B batch, L length, H hidden size.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import BertModel

EMBEDDING = -1
"""The key of the embeddings' output among those of the layers."""
Model = TypeVar("Model", bound=nn.Module)


@dataclass
class States:
    """The inner states of one forward pass, by layer."""

    hidden: dict[int, torch.Tensor] = field(default_factory=dict)
    """Outputs of the layers and, at EMBEDDING, of the embeddings, [B, L, H]."""
    query: dict[int, torch.Tensor] = field(default_factory=dict)
    """Queries before they are split into heads, [B, L, H]; keys likewise."""
    key: dict[int, torch.Tensor] = field(default_factory=dict)
    value: dict[int, torch.Tensor] = field(default_factory=dict)
    """Values likewise, of the layers for which they are asked."""

    def cloned(self) -> "States":
        """Copies that autograd can save for the backward pass, which it refuses for tensors made in inference mode."""
        parts = (self.hidden, self.query, self.key, self.value)
        return States(*({n: t.clone() for n, t in part.items()} for part in parts))


@contextmanager
def capture(bert: BertModel, layers: Iterable[int], *, values: Iterable[int] = ()) -> Iterator[States]:
    """States that a forward pass of `bert` fills: the embeddings' output, and the states of `layers`, from 0.

    `values` are layers whose values are kept as well, which relations take.
    """
    states = States()
    hooks = [_record(bert.embeddings, states.hidden, EMBEDDING)]
    for n in layers:
        layer = bert.encoder.get_submodule(f"layer.{n}")
        hooks.append(_record(layer, states.hidden, n))
        hooks.append(_record(layer.get_submodule("attention.self.query"), states.query, n))
        hooks.append(_record(layer.get_submodule("attention.self.key"), states.key, n))
    for n in values:
        hooks.append(_record(bert.encoder.get_submodule(f"layer.{n}.attention.self.value"), states.value, n))
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def _record(module: nn.Module, outputs: dict[int, torch.Tensor], n: int) -> RemovableHandle:
    def record(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        outputs[n] = output

    return module.register_forward_hook(record)


def cast_linear_weights_to_bf16(teacher: Model, accelerator: Accelerator) -> Model:
    """A teacher whose linear weights are cast to bf16 once: the bits of autocast without a cast in every step.

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
