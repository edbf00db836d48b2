"""What a teacher computes on packed calibration text, from which a student's weights are made in closed form.

B blocks, L length, N tokens, D the teacher's hidden size, C any number of channels, F intermediate neurons.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import BertModel

from tinybert.pretraining.masking import attention_mask, positions, segments

BATCH = 16
"""Blocks in a forward pass."""


@dataclass(frozen=True)
class Text:
    """A batch of blocks, whose documents do not attend to each other."""

    ids_BL: torch.Tensor
    positions_BL: torch.Tensor
    visible_B1LL: torch.Tensor


def texts_of(blocks: np.ndarray, *, cls_id: int) -> list[Text]:
    """Packed `blocks` [N, L] in order, in batches. `cls_id` begins a document."""
    parts = (blocks[start : start + BATCH].astype(np.int64) for start in range(0, len(blocks), BATCH))
    return [
        Text(ids, positions(ids, cls_id=cls_id), attention_mask(segments(ids, cls_id=cls_id)))
        for ids in map(torch.from_numpy, parts)
    ]


@dataclass
class Moments:
    """First and second moments of vectors of C channels."""

    count: int = 0
    _sums: Any = 0.0
    _products: Any = 0.0

    def add(self, vectors: torch.Tensor) -> None:
        """Count vectors [..., C] in."""
        x_NC = vectors.flatten(0, -2).double()
        self.count += len(x_NC)
        self._sums = self._sums + x_NC.sum(0)
        self._products = self._products + x_NC.T @ x_NC

    @property
    def mean_C(self) -> torch.Tensor:
        return self._sums / self.count

    @property
    def second_CC(self) -> torch.Tensor:
        """E[x x^T]."""
        return self._products / self.count

    @property
    def covariance_CC(self) -> torch.Tensor:
        return self.second_CC - torch.outer(self.mean_C, self.mean_C)


@dataclass
class Norm:
    """What goes into a LayerNorm and what comes out, at every token, [N, D] once `Trace` is complete."""

    inputs: Any = field(default_factory=list)
    outputs: Any = field(default_factory=list)


@dataclass
class LayerTrace:
    """Of one layer of the teacher."""

    input_ND: Any = field(default_factory=list)
    query: Moments = field(default_factory=Moments)
    key: Moments = field(default_factory=Moments)
    context: Moments = field(default_factory=Moments)
    """Outputs of the heads, side by side, before the output matrix of the attention."""
    energy_F: Any = 0.0
    """Of the intermediate neurons: their squared activations, summed over tokens."""
    attention_norm: Norm = field(default_factory=Norm)
    output_norm: Norm = field(default_factory=Norm)


@dataclass
class Trace:
    """Of the teacher's embeddings and of the layers asked for; `stream_DD` is of all layers."""

    stream_DD: torch.Tensor
    """The mean of E[h h^T] / E[|h|^2] over all states h of the residual stream: the outputs of all LayerNorms."""
    embedding_norm: Norm
    layers: list[LayerTrace]


def run_teacher(teacher: BertModel, texts: Iterable[Text]) -> None:
    """A forward pass of each batch, for what hooks see of it."""
    teacher.eval()
    for text in texts:
        teacher(input_ids=text.ids_BL, position_ids=text.positions_BL, attention_mask=text.visible_B1LL)


@torch.inference_mode()
def trace(teacher: BertModel, texts: Iterable[Text], *, layers: Sequence[int]) -> Trace:
    """Run `teacher` on the texts, and keep what a student of its `layers` is made from."""
    embedding, kept = Norm(), {n: LayerTrace() for n in layers}
    streams: dict[str, Moments] = {}
    with ExitStack() as stack:
        for name, module in teacher.named_modules():
            if isinstance(module, nn.LayerNorm):
                moments = streams.setdefault(name, Moments())
                stack.callback(on_output(module, lambda _, output, moments=moments: moments.add(output)).remove)
        stack.callback(_record_norm(teacher.embeddings.LayerNorm, embedding).remove)
        for n, part in kept.items():
            for handle in _record_layer(teacher.encoder.get_submodule(f"layer.{n}"), part):
                stack.callback(handle.remove)
        run_teacher(teacher, texts)
    seconds = [moments.second_CC for moments in streams.values()]
    stream_DD = torch.stack([second_DD / second_DD.trace() for second_DD in seconds]).mean(0)
    for norm in (embedding, *(n for part in kept.values() for n in (part.attention_norm, part.output_norm))):
        norm.inputs, norm.outputs = torch.cat(norm.inputs), torch.cat(norm.outputs)
    for part in kept.values():
        part.input_ND = torch.cat(part.input_ND)
    return Trace(stream_DD, embedding, [kept[n] for n in layers])


def on_output(module: nn.Module, record: Callable[[Any, torch.Tensor], None]) -> RemovableHandle:
    """Call `record` with the first input and the output of each forward pass, until the handle is removed."""

    def hook(_: nn.Module, inputs: Any, output: Any) -> None:
        record(inputs[0], output)

    return module.register_forward_hook(hook)


def _record_norm(module: nn.Module, norm: Norm) -> RemovableHandle:
    def record(inputs: torch.Tensor, output: torch.Tensor) -> None:
        norm.inputs.append(inputs.flatten(0, -2))
        norm.outputs.append(output.flatten(0, -2))

    return on_output(module, record)


def _record_layer(layer: nn.Module, part: LayerTrace) -> Iterator[RemovableHandle]:
    def add_energy(activations: torch.Tensor) -> None:
        part.energy_F = part.energy_F + activations.flatten(0, -2).double().pow(2).sum(0)

    attention, query = layer.get_submodule("attention"), layer.get_submodule("attention.self.query")
    yield on_output(query, lambda inputs, output: part.input_ND.append(inputs.flatten(0, -2)))
    yield on_output(query, lambda inputs, output: part.query.add(output))
    yield on_output(attention.get_submodule("self.key"), lambda inputs, output: part.key.add(output))
    yield on_output(attention.get_submodule("output.dense"), lambda inputs, output: part.context.add(inputs))
    yield on_output(layer.get_submodule("output.dense"), lambda inputs, output: add_energy(inputs))
    yield _record_norm(attention.get_submodule("output.LayerNorm"), part.attention_norm)
    yield _record_norm(layer.get_submodule("output.LayerNorm"), part.output_norm)
