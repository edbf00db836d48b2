"""The losses between the inner states of student and teacher, in any mixture. B batch, L length."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn
from transformers import BertConfig

from tinybert.distillation.losses import (
    attention_loss,
    cosine_loss,
    hidden_loss,
    patience_loss,
    relation_loss,
    standardized_loss,
)
from tinybert.distillation.teacher import EMBEDDING, States
from tinybert.errors import InputError

RELATION_HEADS = 12
"""As many as a BERT-base has attention heads."""


@dataclass(frozen=True)
class Compared:
    """What of a batch the losses compare: no padding, and no pairs across documents."""

    real_BL: torch.Tensor
    """True where there is a token."""
    starts_BL: torch.Tensor
    """True at the [CLS] of each document."""
    visible_B1LL: torch.Tensor
    """True where a token (third axis) attends to another (fourth axis), both real."""


class IntermediateDistillation(nn.Module):
    """The losses of LOSSES, and the projections that train with the student.

    Student layer m is distilled from teacher layer `teacher_layers[m]`. A loss is the sum over layers, as in TinyBERT's
    equation 11 (Jiao et al. 2020); "relation" is of the last layers only. `weights` are by the names of LOSSES; a loss
    that they lack, or of weight 0, is not computed. "relation" takes any number of `relation_heads` that divides both
    hidden sizes, "standardized" the `deviations_MD` of `channel_deviations`.

    Raises InputError for numbers of heads with which a loss cannot be computed, and for unknown names.
    """

    deviations_MD: torch.Tensor

    def __init__(
        self, projections: nn.ModuleList, student: BertConfig, teacher: BertConfig, *, teacher_layers: list[int],
        weights: Mapping[str, float], relation_heads: int = RELATION_HEADS, deviations_MD: torch.Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if unknown := weights.keys() - LOSSES.keys():
            raise InputError(f"losses: expected {', '.join(LOSSES)}, got {', '.join(sorted(unknown))}")
        self.weights = {name: weights[name] for name in LOSSES if weights.get(name)}
        _require_comparable_heads(self.weights, student, teacher, relation_heads=relation_heads)
        assert "standardized" not in self.weights or deviations_MD is not None, "without channel_deviations"
        self.projections, self.teacher_layers = projections, teacher_layers
        self.heads, self.relation_heads = teacher.num_attention_heads, relation_heads
        self.register_buffer("deviations_MD", deviations_MD, persistent=False)

    @property
    def compares_queries(self) -> bool:
        """Whether a loss needs the queries and keys of States."""
        return bool(self.weights.keys() & {"attention", "relation"})

    @property
    def student_values(self) -> list[int]:
        """The student's layers of which States need the values."""
        return [len(self.teacher_layers) - 1] if "relation" in self.weights else []

    @property
    def teacher_values(self) -> list[int]:
        """Likewise the teacher's."""
        return [self.teacher_layers[n] for n in self.student_values]

    def forward(self, student: States, teacher: States, compared: Compared) -> dict[str, torch.Tensor]:
        """The weighted losses, by name."""
        pair = _Pair(self, student, teacher, compared)
        return {name: LOSSES[name](pair) * weight for name, weight in self.weights.items()}

    def counts(self, compared: Compared) -> dict[str, torch.Tensor]:
        """The number of tokens, of documents, or of pairs of tokens that each loss is the mean of, scalars."""
        others = {"patience": compared.starts_BL.sum(), "attention": compared.visible_B1LL.sum()}
        return dict.fromkeys(LOSSES, compared.real_BL.sum()) | others


@dataclass(frozen=True)
class _Pair:
    """The inner states of student and teacher in one batch, and their losses before they are weighted."""

    of: IntermediateDistillation
    student: States
    teacher: States
    compared: Compared

    def embedding(self) -> torch.Tensor:
        student = self.of.projections[0](self.student.hidden[EMBEDDING])
        return hidden_loss(student, self.teacher.hidden[EMBEDDING], self.compared.real_BL)

    def hidden(self) -> torch.Tensor:
        return _sum(hidden_loss(s, t, self.compared.real_BL) for s, t in self._outputs)

    def standardized(self) -> torch.Tensor:
        pairs = zip(self._outputs, self.of.deviations_MD, strict=True)
        return _sum(standardized_loss(s, t, self.compared.real_BL, deviation) for (s, t), deviation in pairs)

    def cosine(self) -> torch.Tensor:
        return _sum(cosine_loss(s, t, self.compared.real_BL) for s, t in self._outputs)

    def patience(self) -> torch.Tensor:
        return _sum(patience_loss(s, t, self.compared.starts_BL) for s, t in self._outputs)

    def attention(self) -> torch.Tensor:
        student, teacher, visible_B1LL = self.student, self.teacher, self.compared.visible_B1LL
        return _sum(
            attention_loss(student.query[s], student.key[s], teacher.query[t], teacher.key[t], visible_B1LL,
                           heads=self.of.heads)
            for s, t in enumerate(self.of.teacher_layers)
        )  # fmt: skip

    def relation(self) -> torch.Tensor:
        """Of queries, keys and values, each with MiniLMv2's weight alpha = 1 (equation 5), in the last layers."""
        s, t = len(self.of.teacher_layers) - 1, self.of.teacher_layers[-1]
        real_BL, visible_B1LL = self.compared.real_BL, self.compared.visible_B1LL
        parts = ((getattr(self.student, part)[s], getattr(self.teacher, part)[t]) for part in ("query", "key", "value"))
        return _sum(
            relation_loss(*part, real_BL=real_BL, visible_B1LL=visible_B1LL, heads=self.of.relation_heads)
            for part in parts
        )

    @cached_property
    def _outputs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The output of each student layer, projected, and of the teacher layer that it imitates."""
        maps = zip([*self.of.projections][1:], enumerate(self.of.teacher_layers), strict=True)
        return [(w(self.student.hidden[s]), self.teacher.hidden[t]) for w, (s, t) in maps]


LOSSES: dict[str, Callable[[_Pair], torch.Tensor]] = {
    "embedding": _Pair.embedding,
    "hidden": _Pair.hidden,
    "attention": _Pair.attention,
    "standardized": _Pair.standardized,
    "cosine": _Pair.cosine,
    "patience": _Pair.patience,
    "relation": _Pair.relation,
}


def _sum(losses: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(losses)).sum()


def _require_comparable_heads(
    weights: Mapping[str, float], student: BertConfig, teacher: BertConfig, *, relation_heads: int
) -> None:
    heads = student.num_attention_heads, teacher.num_attention_heads
    if "attention" in weights and heads[0] != heads[1]:
        raise InputError(
            f"losses.attention is {weights['attention']}, but the student has {heads[0]} attention heads and the "
            f"teacher {heads[1]}; expected 0, or equal numbers of heads (num_attention_heads); losses.relation takes "
            "any numbers"
        )
    sizes = student.hidden_size, teacher.hidden_size
    if "relation" in weights and any(size % relation_heads for size in sizes):
        raise InputError(
            f"losses.relation_heads is {relation_heads}, but the student's hidden_size is {sizes[0]} and the teacher's "
            f"{sizes[1]}; expected a number that divides both"
        )
