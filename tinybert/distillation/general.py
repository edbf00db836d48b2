"""General distillation on packed blocks: objective, distillation targets, and the whole training."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertForPreTraining, BertTokenizer

from tinybert.data.retokenizing import Retokenizer
from tinybert.data.tokenizer import special_id
from tinybert.distillation.deviations import BATCHES, channel_deviations
from tinybert.distillation.intermediate import RELATION_HEADS, Compared, IntermediateDistillation
from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.distillation.teacher import capture, cast_linear_weights_to_bf16
from tinybert.distillation.words import align, by_word
from tinybert.errors import InputError
from tinybert.model.checkpoint import has_mlm_head, set_dropout
from tinybert.model.inputs import Batch
from tinybert.pretraining.masking import attention_mask, masked_batch, masking_for, positions, segments
from tinybert.pretraining.mlm import count_of, encode_blocks, freeze_unused_heads, predict_masked
from tinybert.training.data_parallel import shard_of
from tinybert.training.devices import set_up
from tinybert.training.loop import TrainState, train
from tinybert.training.progress import Progress
from tinybert.training.sampling import Mixture, to_device

EQUAL_WEIGHTS = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0, "prediction": 1.0}
OF_THE_HEAD = ("prediction", "hard")
"""Losses of the MLM head's logits at the masked positions; the others are those of `intermediate.LOSSES`."""
DEVIATION_ROWS = 32
"""Blocks in a batch that deviations are computed on; fixed, so that they depend on no other number."""


class GeneralDistillation(nn.Module):
    """TinyBERT's general distillation (Jiao et al. 2020, section 3.2), and the predictions of masked tokens.

    `prediction` is the weight of the loss to the teacher's, which `temperature` softens, `hard` that of the loss to the
    true tokens; with 0 they are not computed.
    """

    def __init__(
        self, student: BertForPreTraining, intermediate: IntermediateDistillation, *, prediction: float,
        temperature: float, hard: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.student, self.intermediate = student, intermediate
        self._prediction, self._temperature, self._hard = prediction, temperature, hard
        freeze_unused_heads(student)
        if not prediction and not hard:
            student.cls.requires_grad_(False)
            student.bert.embeddings.requires_grad_(True)  # the output layer shares the word embeddings

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The weighted losses of a masked batch with its `corpus_targets`."""
        layers = range(self.student.config.num_hidden_layers)
        with capture(self.student.bert, layers, values=self.intermediate.student_values) as states:
            hidden_BLH = encode_blocks(self.student.bert, batch)
        student = by_word(states, batch["student_words"]) if "student_words" in batch else states
        losses = self.intermediate(student, batch["teacher"], _compared(batch))
        if self._prediction or self._hard:
            losses |= self._of_the_head(predict_masked(self.student, hidden_BLH, batch), batch)
        return losses

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The number of elements that each loss is the mean of, scalars."""
        return self.intermediate.counts(_compared(batch)) | dict.fromkeys(OF_THE_HEAD, count_of(batch["predicted"]))

    def _of_the_head(self, student_MV: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        """Both are 0 where no token is masked."""
        losses: dict[str, torch.Tensor] = {}
        if self._prediction:
            loss = soft_cross_entropy(student_MV, batch["teacher_logits"], temperature=self._temperature)
            losses["prediction"] = loss * self._prediction
        if self._hard:
            reduction = "mean" if len(student_MV) else "sum"
            losses["hard"] = F.cross_entropy(student_MV.float(), batch["targets"], reduction=reduction) * self._hard
        return losses


def _compared(batch: Batch) -> Compared:
    """Every token, since blocks have no padding, and every pair within a document, which starts at position 0.

    Of a student with a vocabulary of its own it is every word that both sides have whole (see `in_words`).
    """
    if "compared" in batch:
        return batch["compared"]
    return Compared(
        real_BL=torch.ones_like(batch["input_ids"], dtype=torch.bool),
        starts_BL=batch["position_ids"] == 0,
        visible_B1LL=batch["visible"],
    )


def in_words(batch: Batch, retokenizer: Retokenizer, *, cls_id: int, pad_token_id: int, longest: int) -> Batch:
    """A masked batch with its `corpus_targets`, for a student whose tokenizer is the target of `retokenizer`.

    The inputs become the student's, "teacher" the States by word, and "compared" and "student_words" are added.
    """
    ids_BL = batch["input_ids"].cpu()
    aligned = align(ids_BL, torch.ones_like(ids_BL, dtype=torch.bool), retokenizer, pad_token_id=pad_token_id,
                    longest=longest)  # fmt: skip
    ids_BT, device = aligned.ids_BT, batch["input_ids"].device
    starts_BW = (ids_BL.gather(1, aligned.source.last_BW) == cls_id) & aligned.real_BW
    real_BW, documents_BW = aligned.real_BW, starts_BW.cumsum(1)
    visible_B1WW = attention_mask(documents_BW) & real_BW[:, None, None, :] & real_BW[:, None, :, None]
    inputs = {
        "input_ids": ids_BT,
        "position_ids": positions(ids_BT, cls_id=retokenizer.special[cls_id]) * aligned.real_BT,
        "visible": attention_mask(segments(ids_BT, cls_id=retokenizer.special[cls_id]))
        & aligned.real_BT[:, None, None],
    }
    compared = Compared(*(tensor.to(device) for tensor in (real_BW, starts_BW, visible_B1WW)))
    return batch | to_device(inputs, device) | {
        "teacher": by_word(batch["teacher"], aligned.source.to(device)),
        "student_words": aligned.target.to(device),
        "compared": compared,
    }  # fmt: skip


def corpus_targets(
    teacher: BertForPreTraining, batch: Batch, *, layers: Sequence[int], predictions: bool,
    autocast: Callable[..., AbstractContextManager], values: Sequence[int] = (),
) -> Batch:  # fmt: skip
    """A batch's distillation targets: "teacher", the States of `layers`; if `predictions`, "teacher_logits" [M, V].

    `values` are those of `capture`. `teacher` is in eval mode. Computed in inference mode and cloned, since autograd
    saves no tensor made there.
    """
    assert not teacher.training
    with torch.inference_mode(), autocast(), capture(teacher.bert, layers, values=values) as states:
        hidden_BLH = encode_blocks(teacher.bert, batch)
        logits = {"teacher_logits": predict_masked(teacher, hidden_BLH, batch)} if predictions else {}
    return {"teacher": states.cloned(), **{name: tensor.clone() for name, tensor in logits.items()}}


@dataclass
class Learner:
    """A student in general distillation, and what its training takes beside what all students share."""

    student: BertForPreTraining
    projections: nn.ModuleList
    """Those of `projections.projections_from`."""
    teacher_layers: list[int]
    """Those of `pruning.layers.choose_layers`."""
    tokenizer: BertTokenizer | None = None
    """The student's own, where it is not that of the teacher and the blocks; then losses compare words."""
    state: TrainState = field(default_factory=TrainState)
    folder: Path | None = None
    """Of its resume point, see `train`."""
    progress: Progress | None = None


def distill(
    learners: Sequence[Learner], teacher: BertForPreTraining, blocks: np.ndarray | Mixture, *,
    tokenizer: BertTokenizer, steps: int = 400, batch_size: int = 16, learning_rate: float = 1e-3, warmup: float = 0.1,
    weight_decay: float = 0.01, weights: Mapping[str, float] = EQUAL_WEIGHTS, relation_heads: int = RELATION_HEADS,
    temperature: float = 1.0, mask_probability: float = 0.2, whole_words: bool = False, dropout: float = 0.0,
    seed: int = 0, accelerator: Accelerator | None = None,
) -> None:  # fmt: skip
    """Distil `teacher` into the students and projections of `learners` in place, on packed `blocks` [N, L].

    The curve of each is then in its state. All see the same batches, of which the teacher's states are computed once,
    and each has the bits that it has alone. `weights` are by the names of `intermediate.LOSSES` and of OF_THE_HEAD,
    "prediction" softened by `temperature`; a loss that they lack is not computed; without `steps` nothing is.
    `tokenizer` is that of the teacher and the blocks. The other arguments are those of `train`. Raises InputError where
    the teacher has no MLM head to learn from, where numbers of heads or two vocabularies do not allow a loss, or where
    the training of the first learner diverges; another one is then left as it was.
    """
    if not steps or not learners:
        return
    _require_mlm_head(teacher, weights)
    accelerator = accelerator or set_up()
    teacher = cast_linear_weights_to_bf16(teacher.to(accelerator.device).eval(), accelerator)
    masking = masking_for(
        tokenizer, probability=mask_probability, whole_words=whole_words, vocab_size=teacher.config.vocab_size
    )
    masked = partial(masked_batch, blocks, seed=seed, masking=masking, device=accelerator.device)
    targets = partial(corpus_targets, teacher, autocast=accelerator.autocast)
    layers = [learner.teacher_layers for learner in learners]
    of_all = partial(
        targets, layers=_union(layers), predictions=weights.get("prediction", 0.0) > 0,
        values=_union(some[-1:] for some in layers) if weights.get("relation") else (),
    )  # fmt: skip
    taught = _Taught(partial(masked, batch_size=batch_size, shard=shard_of(accelerator)), of_all)
    objective = partial(_objective, teacher=teacher.config, masked=masked, targets=targets, weights=weights,
                        temperature=temperature, relation_heads=relation_heads, dropout=dropout)  # fmt: skip

    def training(learner: Learner) -> Iterator[int]:
        own = _own_words(tokenizer, learner, weights) if learner.tokenizer else None
        yield from train(
            objective(learner).to(accelerator.device), batches=(lambda step: own(taught(step))) if own else taught,
            steps=steps, learning_rate=learning_rate, warmup=warmup, weight_decay=weight_decay, seed=seed,
            accelerator=accelerator, state=learner.state, folder=learner.folder, progress=learner.progress,
        )  # fmt: skip
        learner.student.eval()

    _run_side_by_side([training(learner) for learner in learners], learners, accelerator)


class _Taught:
    """Masked batches with the teacher's states, of which the last is kept for the next student."""

    def __init__(self, masked: Callable[[int], Batch], targets: Callable[[Batch], Batch]) -> None:
        self._masked, self._targets = masked, targets
        self._step, self._batch = -1, Batch()

    def __call__(self, step: int) -> Batch:
        if step != self._step:
            self._batch = Batch()  # two at once would take the memory of two
            inputs = self._masked(step)
            self._step, self._batch = step, inputs | self._targets(inputs)
        return self._batch


def _objective(
    learner: Learner, *, teacher: BertConfig, masked: Callable[..., Batch], targets: Callable[..., Batch],
    weights: Mapping[str, float], temperature: float, relation_heads: int, dropout: float,
) -> GeneralDistillation:  # fmt: skip
    student, layers = learner.student, learner.teacher_layers
    inner = {name: weight for name, weight in weights.items() if name not in OF_THE_HEAD}
    intermediate = IntermediateDistillation(
        learner.projections, student.config, teacher, teacher_layers=layers, weights=inner,
        relation_heads=relation_heads,
        deviations_MD=_deviations(masked, targets, layers=layers) if inner.get("standardized") else None,
    )  # fmt: skip
    set_dropout(student, hidden=dropout)
    prediction, hard = (weights.get(name, 0.0) for name in OF_THE_HEAD)
    return GeneralDistillation(student, intermediate, prediction=prediction, temperature=temperature, hard=hard)


def _run_side_by_side(
    trainings: Sequence[Iterator[int]], learners: Sequence[Learner], accelerator: Accelerator
) -> None:
    """Train the one that has done the fewest steps, until all are done: then each batch is made once.

    Where one but the first fails, the others go on: it fails again, with its message, where it is the first. Of several
    processes not all may have seen it yet, so that all end, with its label in the message.
    """
    waiting = [(0, number) for number in range(len(trainings))]
    while waiting:
        _, number = heappop(waiting)
        try:
            done = next(trainings[number], None)
        except InputError as error:
            progress = learners[number].progress
            if number == 0:
                raise
            if accelerator.num_processes > 1:
                raise InputError(f"{progress.label if progress else 'another student'}: {error}") from error
            if progress:
                progress.note(f"ends here, the others go on: {error}")
            continue
        if done is not None:
            heappush(waiting, (done, number))


def _union(layers: Iterable[Sequence[int]]) -> list[int]:
    return sorted({n for some in layers for n in some})


def _require_mlm_head(teacher: BertForPreTraining, weights: Mapping[str, float]) -> None:
    """From a random head a student would learn noise, and its own, cut out of it, would be random too."""
    for name in OF_THE_HEAD:
        if weights.get(name) and not has_mlm_head(teacher):
            raise InputError(
                f"losses.{name} is {weights[name]}, but the teacher's checkpoint has no MLM head to learn from; "
                "expected 0, or a teacher that was pretrained with one"
            )


def _own_words(tokenizer: BertTokenizer, learner: Learner, weights: Mapping[str, float]) -> Callable[[Batch], Batch]:
    """A batch for a student with a tokenizer of its own."""
    own = learner.tokenizer
    assert own, "else the batch is the teacher's"
    for name in OF_THE_HEAD:
        if weights.get(name):
            raise InputError(
                f"losses.{name} is {weights[name]}, but the student's vocabulary is not its teacher's; expected 0"
            )
    return partial(
        in_words, retokenizer=Retokenizer(tokenizer, own), cls_id=special_id(tokenizer, "cls"),
        pad_token_id=special_id(own, "pad"), longest=learner.student.config.max_position_embeddings,
    )  # fmt: skip


def _deviations(masked: Callable[..., Batch], targets: Callable[..., Batch], *, layers: Sequence[int]) -> torch.Tensor:
    """The teacher's on the first blocks of the training, masked, which are the same in every process."""
    batches = (masked(step, batch_size=DEVIATION_ROWS) for step in range(BATCHES))
    states = (
        (targets(batch, layers=layers, predictions=False)["teacher"], _compared(batch).real_BL) for batch in batches
    )
    return channel_deviations(states, layers=layers)
