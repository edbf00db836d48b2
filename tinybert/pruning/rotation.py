"""A student in a rotated basis of its teacher's residual stream, made in closed form from calibration text.

A post-norm BERT writes every layer's output into one residual stream of D channels. The student's k channels are not k
of these but combinations of all: s = P^T h, with orthonormal columns P [D, k]. P holds the principal components of the
stream (SliceGPT, Ashkboos et al. 2024, arXiv:2401.15024, section 3.3, does so for pre-norm decoders, where it changes
nothing). Here LayerNorm takes the mean over channels out and scales each channel, so that
(1) P maps the direction of equal channels onto itself, and what LayerNorm takes out of the student is what it takes out
    of the teacher; the components are those of the rest;
(2) the gains and biases of the student's LayerNorms are refitted, and with them every matrix that writes the stream:
    least squares on the student's own activations, layer by layer, to the teacher's states, which also makes up for the
    layers left out (as second-order pruning does for the weights that it removes).

N tokens, D and k the hidden sizes of teacher and student, F and f their intermediate sizes, a the student's heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertForPreTraining

from tinybert.pruning.calibration import LayerTrace, Norm, Text, Trace
from tinybert.pruning.factorization import factorized_heads, selected_heads, silence
from tinybert.pruning.importance import neurons
from tinybert.pruning.shape import Shape, student_config

RIDGE = 1e-3
"""Of a least-squares fit, in units of the mean variance of its inputs. It pulls to the weights before the fit."""


def basis(stream_DD: Tensor, size: int) -> Tensor:
    """P [D, k]: orthonormal columns that map equal student channels to equal teacher channels.

    The rest of the space is spanned by the leading eigenvectors of `stream_DD` without that direction; the student's
    side of it is a reflection close to the identity, so that a channel is about a component.
    """
    D = len(stream_DD)
    equal_D, equal_k = (torch.full((n,), n**-0.5, dtype=torch.float64) for n in (D, size))
    equal_DD = torch.outer(equal_D, equal_D)
    rest_DD = torch.eye(D, dtype=torch.float64) - equal_DD
    # The equal direction gets the one negative eigenvalue, and is the last.
    _, vectors = torch.linalg.eigh(rest_DD @ stream_DD.double() @ rest_DD - equal_DD * stream_DD.trace())
    components = vectors.flip(1)[:, : size - 1]
    axis = equal_k - torch.eye(size, dtype=torch.float64)[0]
    reflection = torch.eye(size, dtype=torch.float64) - 2 * torch.outer(axis, axis) / axis.dot(axis).clamp(min=1e-30)
    return torch.outer(equal_D, equal_k) + components @ reflection[:, 1:].T


@torch.no_grad()
def rotate(
    teacher: BertForPreTraining, traced: Trace, texts: Sequence[Text], *, layers: list[int], shape: Shape,
    basis_Dk: Tensor | None = None, refit: bool = True, factorize: bool = True, seed: int = 0,
) -> tuple[BertForPreTraining, Tensor]:  # fmt: skip
    """A student of the teacher's `layers` (counted from 0) and of this shape, and the basis P [D, k].

    `texts` are calibration text, some ten thousand tokens, and `traced` is what the teacher computes on them.
    `basis_Dk` is P where it is not to be `basis(traced.stream_DD)`. Without `refit` the teacher's weights are rotated
    and no more; without `factorize` heads keep some of their channels (importance.py), so that with a selection of
    channels as P both give the student of `cut.important_channels`. `seed` draws what silent channels start from.
    Raises InputError when the student would be wider than the teacher.
    """
    student = BertForPreTraining(student_config(teacher.config, shape, layers=len(layers))).eval()
    P = basis(traced.stream_DD, shape.hidden_size) if basis_Dk is None else basis_Dk.double()
    _rotate_heads(student, teacher, P)
    stream = _embed(student, teacher, traced.embedding_norm, P, refit=refit)
    generator = torch.Generator().manual_seed(seed)
    for own, n, part in zip(student.bert.encoder.layer, layers, traced.layers, strict=True):
        layer = _Layer(own, teacher.bert.encoder.get_submodule(f"layer.{n}"), part, P, shape)
        layer.rotate(factorize=factorize)
        if refit:
            stream = layer.refit(stream, texts)
        silence(own.attention, layer.silent, generator=generator)
    return student, P


def _embed(student: BertForPreTraining, teacher: BertForPreTraining, norm: Norm, P: Tensor, *, refit: bool) -> Tensor:
    """Rotate the embeddings; the student's stream [N, k] after them."""
    own, source = student.bert.embeddings, teacher.bert.embeddings
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        own.get_parameter(f"{name}.weight").copy_(source.get_parameter(f"{name}.weight").double() @ P)
    _rotate_norm(own.LayerNorm, source.LayerNorm, P)
    return _refit_norm(own.LayerNorm, norm.inputs.double() @ P, norm, P) if refit else torch.empty(0)


class _Layer:
    """One layer of the student, made of one of the teacher: rotated, then refitted on the student's stream."""

    def __init__(self, layer: Any, source: Any, part: LayerTrace, P: Tensor, shape: Shape) -> None:
        self._layer, self._source, self._part, self._P, self._shape = layer, source, part, P, shape
        self.silent = torch.zeros(shape.hidden_size, dtype=torch.bool)

    def rotate(self, *, factorize: bool) -> None:
        """Fill the layer's weights from the teacher's and the basis alone."""
        for name in ("attention.output", "output"):
            own, source = (layer.get_submodule(name) for layer in (self._layer, self._source))
            _set(own.dense, torch.zeros(own.dense.weight.shape), self._P.T @ source.dense.bias.double())
            _rotate_norm(own.LayerNorm, source.LayerNorm, self._P)
        out_kA = self._P.T @ self._source.attention.output.dense.weight.double()
        make = factorized_heads if factorize else selected_heads
        self._heads = make(self._part, out_kA, heads=self._source.attention.self.num_attention_heads, shape=self._shape)
        self.silent = self._heads.silent
        self._layer.attention.output.dense.weight.copy_(self._heads.output)
        self._layer.attention.output.dense.bias.add_(self._heads.output_bias)
        out_kF = self._P.T @ self._source.output.dense.weight.double()
        self._kept = neurons(self._part, out_kF, self._shape.intermediate_size)
        self._layer.output.dense.weight.copy_(out_kF[:, self._kept])
        self._read_stream(_Affine(self._P, torch.zeros(len(self._P), dtype=torch.float64)))
        self._read_attention(_Affine(self._P, torch.zeros(len(self._P), dtype=torch.float64)))

    def refit(self, stream_Nk: Tensor, texts: Sequence[Text]) -> Tensor:
        """Refit the layer where the stream before it is `stream_Nk`; the stream behind it."""
        self._read_stream(_fit(stream_Nk, self._part.input_ND.double(), self._P))
        stream_Nk = self._write("attention.output", self._contexts(stream_Nk, texts), stream_Nk)
        self._read_attention(_fit(stream_Nk, self._part.attention_norm.outputs.double(), self._P))
        return self._write("output", self._layer.intermediate(stream_Nk.float()), stream_Nk)

    def _read_stream(self, read: "_Affine") -> None:
        """Queries, keys and values from a map of the student's stream to the teacher's."""
        own, source, heads = self._layer.attention.self, self._source.attention.self, self._heads
        for name, rows in (("query", heads.query), ("key", heads.key), ("value", heads.value)):
            weight, bias = (p.double() for p in source.get_submodule(name).parameters())
            bias = bias + weight @ read.bias - (heads.value_mean if name == "value" else 0.0)
            _set(own.get_submodule(name), rows @ weight @ read.weight, rows @ bias)

    def _read_attention(self, read: "_Affine") -> None:
        """The neurons that are kept, from a map of the stream behind the attention."""
        dense = self._source.intermediate.dense
        weight, bias = dense.weight.double()[self._kept], dense.bias.double()[self._kept]
        _set(self._layer.intermediate.dense, weight @ read.weight, bias + weight @ read.bias)

    def _contexts(self, stream_Nk: Tensor, texts: Sequence[Text]) -> Tensor:
        parts, start = [], 0
        for text in texts:
            stop = start + text.ids_BL.numel()
            hidden = stream_Nk[start:stop].float().view(*text.ids_BL.shape, -1)
            context, _ = self._layer.attention.self(hidden, attention_mask=text.visible_B1LL)
            parts.append(context.flatten(0, 1))
            start = stop
        return torch.cat(parts)

    def _write(self, name: str, inputs: Tensor, stream_Nk: Tensor) -> Tensor:
        """Refit what writes the stream to the teacher's sum, then the LayerNorm behind it; the stream there."""
        own, norm = self._layer.get_submodule(name), self._norms[name]
        target = norm.inputs.double() @ self._P - stream_Nk
        fit = _fit(inputs.double(), target, own.dense.weight.double())
        _set(own.dense, fit.weight, fit.bias)
        return _refit_norm(own.LayerNorm, stream_Nk + inputs.double() @ fit.weight.T + fit.bias, norm, self._P)

    @property
    def _norms(self) -> dict[str, Norm]:
        return {"attention.output": self._part.attention_norm, "output": self._part.output_norm}


@dataclass(frozen=True)
class _Affine:
    weight: Tensor
    bias: Tensor


def _fit(x_NC: Tensor, y_NM: Tensor, prior_MC: Tensor) -> _Affine:
    """The affine map from x to y with the least squared error, where a matrix far from `prior` costs (RIDGE)."""
    x_mean, y_mean = x_NC.mean(0), y_NM.mean(0)
    x = x_NC - x_mean
    rest = y_NM - y_mean - x @ prior_MC.T
    gram = x.T @ x
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    weight = prior_MC + torch.linalg.solve(gram, x.T @ rest).T
    return _Affine(weight, y_mean - weight @ x_mean)


def _rotate_norm(own: Any, source: Any, P: Tensor) -> None:
    own.weight.copy_((P.pow(2) * source.weight.double()[:, None]).sum(0))
    own.bias.copy_(P.T @ source.bias.double())


def _refit_norm(own: Any, sums_Nk: Tensor, norm: Norm, P: Tensor) -> Tensor:
    """Refit gain and bias of each channel to the teacher's output in the student's basis; the stream behind it."""
    centred = sums_Nk - sums_Nk.mean(-1, keepdim=True)
    scaled = centred * (centred.pow(2).mean(-1, keepdim=True) + own.eps).rsqrt()
    target, prior = norm.outputs.double() @ P, own.weight.double()
    x, rest = scaled - scaled.mean(0), target - target.mean(0)
    variance = x.pow(2).mean(0)
    gain = prior + (x * (rest - x * prior)).mean(0) / (variance + RIDGE * variance.mean())
    bias = target.mean(0) - gain * scaled.mean(0)
    own.weight.copy_(gain)
    own.bias.copy_(bias)
    return scaled * gain + bias


def _set(linear: nn.Module, weight: Tensor, bias: Tensor) -> None:
    linear.get_parameter("weight").copy_(weight)
    linear.get_parameter("bias").copy_(bias)


def _rotate_heads(student: BertForPreTraining, teacher: BertForPreTraining, P: Tensor) -> None:
    """The pooler and the pretraining heads, as far as a rotation reaches: their nonlinearities stand between."""
    for name in ("bert.pooler.dense", "cls.predictions.transform.dense"):
        weight, bias = (p.double() for p in teacher.get_submodule(name).parameters())
        _set(student.get_submodule(name), P.T @ weight @ P, P.T @ bias)
    norm = "cls.predictions.transform.LayerNorm"
    _rotate_norm(student.get_submodule(norm), teacher.get_submodule(norm), P)
    student.get_parameter("cls.predictions.bias").copy_(teacher.get_parameter("cls.predictions.bias"))
    weight, bias = teacher.get_submodule("cls.seq_relationship").parameters()
    _set(student.get_submodule("cls.seq_relationship"), weight.double() @ P, bias)
