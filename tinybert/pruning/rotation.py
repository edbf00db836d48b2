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

from tinybert.errors import InputError
from tinybert.pruning.calibration import LayerTrace, Norm, Text, trace
from tinybert.pruning.factorization import factorized_heads, silence

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


@dataclass(frozen=True)
class Shape:
    """Of a student."""

    hidden_size: int
    num_attention_heads: int
    intermediate_size: int


@torch.no_grad()
def rotate(
    teacher: BertForPreTraining, texts: Sequence[Text], *, layers: list[int], shape: Shape, seed: int = 0
) -> tuple[BertForPreTraining, Tensor]:
    """A student of the teacher's `layers` (counted from 0) and of this shape, and the basis P [D, k].

    `texts` are calibration text, some ten thousand tokens. `seed` draws what silent channels start from. Raises
    InputError when the student would be wider than the teacher.
    """
    wide = [f"{name} is {size}, the teacher's is {getattr(teacher.config, name)}" for name, size in vars(shape).items()
            if name != "num_attention_heads" and size > getattr(teacher.config, name)]  # fmt: skip
    if wide:
        raise InputError(f"the student cannot be wider than its teacher: {'; '.join(wide)}")
    traced = trace(teacher.bert, texts, layers=layers)
    P = basis(traced.stream_DD, shape.hidden_size)
    sizes = {"num_hidden_layers": len(layers), **vars(shape)}
    config: dict[str, Any] = teacher.config.to_dict() | sizes
    student = BertForPreTraining(type(teacher.config)(**config)).eval()
    _rotate_heads(student, teacher, P)
    stream = _embed(student, teacher, traced.embedding_norm, P)
    generator = torch.Generator().manual_seed(seed)
    for layer, n, part in zip(student.bert.encoder.layer, layers, traced.layers, strict=True):
        source = teacher.bert.encoder.get_submodule(f"layer.{n}")
        stream = _Layer(layer, source, part, P).build(stream, texts, generator)
    return student, P


def _embed(student: BertForPreTraining, teacher: BertForPreTraining, norm: Norm, P: Tensor) -> Tensor:
    """Rotate the embeddings; the student's stream [N, k] after them."""
    own, source = student.bert.embeddings, teacher.bert.embeddings
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        own.get_parameter(f"{name}.weight").copy_(source.get_parameter(f"{name}.weight").double() @ P)
    return _fit_norm(own.LayerNorm, source.LayerNorm, norm.inputs.double() @ P, norm, P)


class _Layer:
    """One layer of the student, made of one of the teacher."""

    def __init__(self, layer: Any, source: Any, part: LayerTrace, P: Tensor) -> None:
        self._layer, self._source, self._part, self._P = layer, source, part, P

    def build(self, stream_Nk: Tensor, texts: Sequence[Text], generator: torch.Generator) -> Tensor:
        """Fill the layer's weights, and return the stream behind it; `stream_Nk` is the one before it."""
        self._attention_inputs(stream_Nk, generator)
        context = self._contexts(stream_Nk, texts)
        norm = self._part.attention_norm
        stream_Nk = self._write(self._layer.attention.output, self._source.attention.output, context, stream_Nk, norm)
        self._neurons(stream_Nk)
        activations = self._layer.intermediate(stream_Nk.float())
        return self._write(self._layer.output, self._source.output, activations, stream_Nk, self._part.output_norm)

    def _attention_inputs(self, stream_Nk: Tensor, generator: torch.Generator) -> None:
        own, source = self._layer.attention.self, self._source.attention.self
        dense = self._source.attention.output.dense
        heads = factorized_heads(
            self._part, self._P.T @ dense.weight.double(), heads=source.num_attention_heads,
            student_heads=own.num_attention_heads, head_size=own.attention_head_size,
        )  # fmt: skip
        read = _fit(stream_Nk, self._part.input_ND.double(), self._P)
        for name, rows in (("query", heads.query), ("key", heads.key), ("value", heads.value)):
            weight, bias = (p.double() for p in source.get_submodule(name).parameters())
            bias = bias + weight @ read.bias - (heads.value_mean if name == "value" else 0.0)
            _set(own.get_submodule(name), rows @ weight @ read.weight, rows @ bias)
        silence(self._layer.attention, heads.silent, generator=generator)
        _set(self._layer.attention.output.dense, heads.output, heads.output_bias + self._P.T @ dense.bias.double())

    def _contexts(self, stream_Nk: Tensor, texts: Sequence[Text]) -> Tensor:
        parts, start = [], 0
        for text in texts:
            stop = start + text.ids_BL.numel()
            hidden = stream_Nk[start:stop].float().view(*text.ids_BL.shape, -1)
            context, _ = self._layer.attention.self(hidden, attention_mask=text.visible_B1LL)
            parts.append(context.flatten(0, 1))
            start = stop
        return torch.cat(parts)

    def _neurons(self, stream_Nk: Tensor) -> None:
        """Keep the neurons whose outputs are largest in the student's stream: E[a^2] |P^T w|^2."""
        dense, out = self._source.intermediate.dense, self._P.T @ self._source.output.dense.weight.double()
        size = self._layer.intermediate.dense.out_features
        importance = self._part.energy_F * out.pow(2).sum(0)
        kept = importance.argsort(descending=True, stable=True)[:size].sort().values
        read = _fit(stream_Nk, self._part.attention_norm.outputs.double(), self._P)
        weight, bias = dense.weight.double()[kept], dense.bias.double()[kept]
        _set(self._layer.intermediate.dense, weight @ read.weight, bias + weight @ read.bias)
        _set(self._layer.output.dense, out[:, kept], self._P.T @ self._source.output.dense.bias.double())

    def _write(self, own: Any, source: Any, inputs: Tensor, stream_Nk: Tensor, norm: Norm) -> Tensor:
        """Refit what writes the stream to the teacher's sum, then the LayerNorm behind it."""
        target = norm.inputs.double() @ self._P - stream_Nk
        fit = _fit(inputs.double(), target, own.dense.weight.double())
        _set(own.dense, fit.weight, fit.bias)
        sums = stream_Nk + inputs.double() @ fit.weight.T + fit.bias
        return _fit_norm(own.LayerNorm, source.LayerNorm, sums, norm, self._P)


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


def _fit_norm(own: Any, source: Any, sums_Nk: Tensor, norm: Norm, P: Tensor) -> Tensor:
    """Refit gain and bias of each channel to the teacher's output in the student's basis; the stream behind it."""
    centred = sums_Nk - sums_Nk.mean(-1, keepdim=True)
    scaled = centred * (centred.pow(2).mean(-1, keepdim=True) + own.eps).rsqrt()
    target, prior = norm.outputs.double() @ P, (P.pow(2) * source.weight.double()[:, None]).sum(0)
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
    gain, bias = teacher.get_submodule("cls.predictions.transform.LayerNorm").parameters()
    own: Any = student.get_submodule("cls.predictions.transform.LayerNorm")
    own.weight.copy_((P.pow(2) * gain.double()[:, None]).sum(0))
    own.bias.copy_(P.T @ bias.double())
    student.get_parameter("cls.predictions.bias").copy_(teacher.get_parameter("cls.predictions.bias"))
    weight, bias = teacher.get_submodule("cls.seq_relationship").parameters()
    _set(student.get_submodule("cls.seq_relationship"), weight.double() @ P, bias)
