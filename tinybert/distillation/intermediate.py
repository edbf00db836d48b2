"""TinyBERT's losses between the inner states of student and teacher. B batch, L length."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn
from transformers import BertConfig

from tinybert.distillation.losses import attention_loss, hidden_loss
from tinybert.distillation.teacher import EMBEDDING, States, attention_scores
from tinybert.errors import InputError


class IntermediateDistillation(nn.Module):
    """TinyBERT's embedding, hidden and attention losses, and the projections that train with the student.

    Student layer m is distilled from teacher layer `teacher_layers[m]`. The sum over layers is TinyBERT's equation 11
    (Jiao et al. 2020) with one weight for each kind of loss: "embedding", "hidden", "attention". Losses of weight 0 are
    not computed. Raises InputError when the attention of different numbers of heads would be compared.
    """

    def __init__(
        self, projections: nn.ModuleList, student: BertConfig, teacher: BertConfig, *, teacher_layers: list[int],
        weights: Mapping[str, float],
    ) -> None:  # fmt: skip
        super().__init__()
        heads = student.num_attention_heads, teacher.num_attention_heads
        if weights["attention"] and heads[0] != heads[1]:
            raise InputError(
                f"losses.attention is {weights['attention']}, but the student has {heads[0]} attention heads and the "
                f"teacher {heads[1]}; expected 0, or equal numbers of heads (num_attention_heads)"
            )
        self.projections = projections
        self._teacher_layers, self._weights, self._heads = teacher_layers, weights, heads[1]

    def forward(
        self, student: States, teacher: States, *, real_BL: torch.Tensor, visible_B1LL: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The weighted losses over real tokens, and over the pairs of tokens that attend to each other."""
        losses: dict[str, torch.Tensor] = {}
        first, *others = self.projections
        if self._weights["embedding"]:
            losses["embedding"] = hidden_loss(first(student.hidden[EMBEDDING]), teacher.hidden[EMBEDDING], real_BL)
        if self._weights["hidden"]:
            pairs = zip(others, enumerate(self._teacher_layers), strict=True)
            losses["hidden"] = _sum(
                hidden_loss(w(student.hidden[s]), teacher.hidden[t], real_BL) for w, (s, t) in pairs
            )
        if self._weights["attention"]:
            losses["attention"] = _sum(
                attention_loss(self._scores(student, s), self._scores(teacher, t), visible_B1LL)
                for s, t in enumerate(self._teacher_layers)
            )
        return {name: loss * self._weights[name] for name, loss in losses.items()}

    def counts(self, *, real_BL: torch.Tensor, visible_B1LL: torch.Tensor) -> dict[str, torch.Tensor]:
        """The number of tokens, or of pairs of tokens, that each loss is the mean of, scalars."""
        tokens = real_BL.sum()
        return {"embedding": tokens, "hidden": tokens, "attention": visible_B1LL.sum()}

    def _scores(self, states: States, layer: int) -> torch.Tensor:
        return attention_scores(states.query[layer], states.key[layer], heads=self._heads)


def _sum(losses: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(losses)).sum()
