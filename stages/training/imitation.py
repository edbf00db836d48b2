"""TinyBERT's losses between a student's inner states and its teacher's, as one module. B batch, L length."""

from collections.abc import Iterable

import torch
from torch import nn
from transformers import BertConfig

from stages.model.states import EMBEDDING, States, attention_scores
from stages.pipeline.errors import InputError
from stages.training.losses import attention_loss, hidden_loss


class Imitation(nn.Module):
    """A student's inner states made like its teacher's: TinyBERT's embedding, hidden and attention losses.

    `teacher_layers` says which teacher layer each student layer imitates. Losses with weight 0 are not computed. The
    sum over layers is TinyBERT's equation 11 with one weight for each kind of loss. The teacher's states come with
    the batch; `projections` map the student's width to the teacher's, and train along.
    """

    def __init__(
        self,
        projections: nn.ModuleList,
        student: BertConfig,
        teacher: BertConfig,
        *,
        teacher_layers: list[int],
        weights: dict[str, float],
    ) -> None:
        """Raises InputError when the attention of different numbers of heads would be compared."""
        super().__init__()
        heads = student.num_attention_heads, teacher.num_attention_heads
        if weights["attention"] and heads[0] != heads[1]:
            raise InputError(
                f"params.yaml: losses.attention is {weights['attention']}, but the student has {heads[0]} attention "
                f"heads and the teacher {heads[1]}; wanted is 0, or as many heads (shrink.num_attention_heads)"
            )
        self.projections = projections
        self._teacher_layers, self._weights, self._heads = teacher_layers, weights, heads[1]

    def forward(
        self, student: States, teacher: States, *, real_BL: torch.Tensor, visible_B1LL: torch.Tensor
    ) -> dict[str, torch.Tensor]:
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
        """Of how many tokens, or pairs of tokens, each loss is the mean, scalars."""
        tokens = real_BL.sum()
        return {"embedding": tokens, "hidden": tokens, "attention": visible_B1LL.sum()}

    def _scores(self, states: States, layer: int) -> torch.Tensor:
        return attention_scores(states.query[layer], states.key[layer], heads=self._heads)


def _sum(losses: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(losses)).sum()
