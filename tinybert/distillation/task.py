"""The first phase of TinyBERT's task distillation: inner states on a task's own texts. B batch, L length."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import BertModel

from tinybert.data.retokenizing import Retokenizer
from tinybert.distillation.deviations import BATCHES, channel_deviations
from tinybert.distillation.intermediate import Compared, IntermediateDistillation
from tinybert.distillation.teacher import States, capture
from tinybert.distillation.words import Alignment, align, by_word
from tinybert.model.inputs import Batch, model_inputs
from tinybert.training.sampling import to_device


class TaskIntermediateDistillation(nn.Module):
    """Intermediate distillation of the encoder under a task's head; the head does not train."""

    def __init__(self, model: nn.Module, intermediate: IntermediateDistillation) -> None:
        super().__init__()
        self.bert, self.intermediate = _encoder(model), intermediate
        if self.bert.pooler is not None:
            self.bert.pooler.requires_grad_(False)

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The weighted losses of a batch with its `task_targets` as "teacher"."""
        layers = range(self.bert.config.num_hidden_layers)
        with capture(self.bert, layers, values=self.intermediate.student_values) as states:
            self.bert(**model_inputs(batch))
        student = by_word(states, batch["student_words"]) if "student_words" in batch else states
        return self.intermediate(student, batch["teacher"], _compared(batch))

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The number of elements that each loss is the mean of, scalars."""
        return self.intermediate.counts(_compared(batch))


def _compared(batch: Batch) -> Compared:
    """The tokens, or words, and their pairs without padding; each row is one document, which starts with [CLS]."""
    real_BL = batch["real_words"] if "real_words" in batch else batch["attention_mask"].bool()
    starts_BL = torch.zeros_like(real_BL)
    starts_BL[:, 0] = True
    visible_B1LL = real_BL[:, None, :, None] & real_BL[:, None, None, :]
    return Compared(real_BL, starts_BL, visible_B1LL)


def task_targets(
    teacher: nn.Module, batch: Batch, *, layers: Sequence[int], autocast: Callable[..., AbstractContextManager],
    queries: bool = True, values: Sequence[int] = (),
) -> States:  # fmt: skip
    """The States of a fine-tuned teacher's `layers` for a batch of its task's rows. `teacher` is in eval mode.

    Without `queries` they lack queries and keys. `values` are those of `capture`.
    """
    assert not teacher.training
    bert = _encoder(teacher)
    with torch.inference_mode(), autocast(), capture(bert, layers, values=values) as states:
        bert(**model_inputs(batch))
    if not queries:
        states.query.clear()
        states.key.clear()
    return states.cloned()


class KeptBatches:
    """Batches with their teacher's States, made once and kept for later epochs as far as memory allows.

    A teacher's forward pass costs more than a student's whole step. `make(step)` gives the batch of a step, the same
    for every step of the same `group(step)`: the memory that there is decides the time of a training, and none of its
    bytes. `limit()`, in bytes, is asked after the first step, when the memory that a step takes is known; that step's
    batch is not kept. From the step `last_epoch` on, batches are not used again.
    """

    def __init__(
        self, make: Callable[[int], Batch], *, group: Callable[[int], int], last_epoch: int, limit: Callable[[], int]
    ) -> None:
        self._make, self._group, self._last_epoch, self._limit = make, group, last_epoch, limit
        self._made, self._free = 0, 0
        self._kept: dict[int, Batch] = {}

    def __call__(self, step: int) -> Batch:
        group = self._group(step)
        if group in self._kept:
            return self._kept[group] if step < self._last_epoch else self._kept.pop(group)
        batch = self._make(step)
        if step < self._last_epoch:
            self._keep(group, batch)
        return batch

    def _keep(self, group: int, batch: Batch) -> None:
        self._made += 1
        if self._made == 2:
            self._free = self._limit()
        if (size := _bytes(batch)) <= self._free:
            self._free -= size
            self._kept[group] = batch


def _bytes(batch: Batch) -> int:
    states: States = batch["teacher"]
    return sum(tensor.nbytes for part in vars(states).values() for tensor in part.values())


IMPOSSIBLE = -1e9
"""A logit without probability, finite so that 0 * log 0 stays 0."""


@dataclass(frozen=True)
class TeacherVocabulary:
    """What turns a student's tokens into those of a teacher with another vocabulary."""

    retokenizer: Retokenizer
    """From the student's tokenizer to the teacher's."""
    pad_token_id: int
    longest: int
    """The teacher's positions."""

    def inputs(self, batch: Batch) -> tuple[Batch, Alignment]:
        """A batch of the student's tokens in the teacher's, and the words of both."""
        ids_BL, device = batch["input_ids"].cpu(), batch["input_ids"].device
        aligned = align(ids_BL, batch["attention_mask"].cpu().bool(), self.retokenizer,
                        pad_token_id=self.pad_token_id, longest=self.longest)  # fmt: skip
        types_BW = batch["token_type_ids"].cpu().gather(1, aligned.source.last_BW)
        inputs = {
            "input_ids": aligned.ids_BT,
            "token_type_ids": F.pad(types_BW, (0, 1)).gather(1, aligned.target.index_BL),
            "attention_mask": aligned.real_BT.long(),
        }
        return to_device(inputs, device), aligned

    def with_targets(self, batch: Batch, targets: Callable[[Batch], States]) -> Batch:
        """The batch with "teacher", the States by word that `targets` gives for it, and the student's words."""
        inputs, aligned = self.inputs(batch)
        device = batch["input_ids"].device
        return batch | {
            "teacher": by_word(targets(inputs), aligned.target.to(device)),
            "student_words": aligned.source.to(device),
            "real_words": aligned.real_BW.to(device),
        }

    def features(self, features: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The features in the teacher's tokens, those beyond its positions cut off."""
        return [self._feature(feature) for feature in features]

    def own_pieces(
        self, logits: Sequence[np.ndarray], features: Sequence[dict[str, Any]], *, of_last: Sequence[int]
    ) -> list[np.ndarray]:
        """The teacher's logits of its `features`, those for each token [T, C] by the student's tokens [L, C].

        A word's logits are those of its first piece, but in the columns `of_last` those of its last. They go to the
        same piece of the student's; other pieces get IMPOSSIBLE, as has a word that the teacher's positions cut off.
        """
        if logits[0].ndim == 1:
            return [*logits]
        return [self._own(rows, feature, of_last) for rows, feature in zip(logits, features, strict=True)]

    def _feature(self, feature: dict[str, Any]) -> dict[str, Any]:
        words = self.retokenizer(feature["input_ids"])
        types = np.array(feature["token_type_ids"])[_last_pieces(words.source_words)[words.target_words]]
        return feature | {"input_ids": words.ids[: self.longest], "token_type_ids": types[: self.longest].tolist()}

    def _own(self, rows_TC: np.ndarray, feature: dict[str, Any], of_last: Sequence[int]) -> np.ndarray:
        words = self.retokenizer(feature["input_ids"])
        own_LC = np.full((len(words.source_words), rows_TC.shape[1]), IMPOSSIBLE, rows_TC.dtype)
        last = [_last_pieces(index) for index in (words.source_words, words.target_words)]
        first = [np.concatenate([[0], places[:-1] + 1]) for places in last]
        for column in range(rows_TC.shape[1]):
            own, theirs = last if column in of_last else first
            whole = theirs < len(rows_TC)
            own_LC[own[whole], column] = rows_TC[theirs[whole], column]
        return own_LC


def _last_pieces(words: np.ndarray) -> np.ndarray:
    """The place of each word's last piece, from the word of each piece."""
    return np.bincount(words).cumsum() - 1


def task_deviations(
    teacher: nn.Module, batches: Callable[[int], Batch], *, layers: Sequence[int],
    autocast: Callable[..., AbstractContextManager],
) -> torch.Tensor:  # fmt: skip
    """`channel_deviations` of a fine-tuned teacher on the first of `batches`, which are the same in every process."""
    first = (batches(step) for step in range(BATCHES))
    states = ((task_targets(teacher, batch, layers=layers, autocast=autocast), batch["attention_mask"].bool())
              for batch in first)  # fmt: skip
    return channel_deviations(states, layers=layers)


def _encoder(model: nn.Module) -> BertModel:
    bert = model.get_submodule("bert")
    assert isinstance(bert, BertModel)
    return bert
