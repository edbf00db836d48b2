"""Read a BERT's inner states while it runs, with the fast attention kernel on.

B batch, L length, H hidden size, h heads, d head size.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import BertModel

EMBEDDING = -1


@dataclass
class States:
    """Filled by a forward pass inside `capture`; lists follow the layers asked for."""

    hidden: dict[int, torch.Tensor] = field(default_factory=dict)
    """Output of each layer, and under EMBEDDING that of the embeddings, [B, L, H]."""
    query: dict[int, torch.Tensor] = field(default_factory=dict)
    """Queries of each layer before they are split into heads, [B, L, H]."""
    key: dict[int, torch.Tensor] = field(default_factory=dict)

    def cloned(self) -> "States":
        """Copies that autograd may keep: a tensor made in inference mode is refused by it."""
        return States(*({n: t.clone() for n, t in part.items()} for part in (self.hidden, self.query, self.key)))


@contextmanager
def capture(bert: BertModel, layers: Sequence[int]) -> Iterator[States]:
    """Collect the embeddings' output and, of each layer in `layers` (from 0), hidden states, queries and keys."""
    states = States()
    hooks = [_keep(bert.embeddings, states.hidden, EMBEDDING)]
    for n in layers:
        layer = bert.encoder.get_submodule(f"layer.{n}")
        hooks.append(_keep(layer, states.hidden, n))
        hooks.append(_keep(layer.get_submodule("attention.self.query"), states.query, n))
        hooks.append(_keep(layer.get_submodule("attention.self.key"), states.key, n))
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def attention_scores(query_BLH: torch.Tensor, key_BLH: torch.Tensor, *, heads: int) -> torch.Tensor:
    """Scores before the softmax, Q K^T / sqrt(d), [B, h, L, L] (Vaswani et al. 2017, equation 1)."""
    query_BhLd, key_BhLd = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query_BLH, key_BLH))
    return query_BhLd @ key_BhLd.transpose(2, 3) * query_BhLd.shape[-1] ** -0.5


def _keep(module: nn.Module, kept: dict[int, torch.Tensor], n: int) -> RemovableHandle:
    def keep(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        kept[n] = output

    return module.register_forward_hook(keep)
