"""TinyBERT's general distillation on packed blocks: objective, distillation targets, and the whole training."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from transformers import BertForPreTraining, BertTokenizer

from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.distillation.teacher import capture, cast_linear_weights_to_bf16
from tinybert.errors import InputError
from tinybert.model.checkpoint import has_mlm_head, set_dropout
from tinybert.model.inputs import Batch
from tinybert.pretraining.masking import masked_batch, masking_for
from tinybert.pretraining.mlm import count_of, encode_blocks, freeze_unused_heads, predict_masked
from tinybert.training.data_parallel import shard_of
from tinybert.training.devices import set_up
from tinybert.training.loop import TrainState, train
from tinybert.training.progress import Progress
from tinybert.training.sampling import Mixture

EQUAL_WEIGHTS = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0, "prediction": 1.0}


class GeneralDistillation(nn.Module):
    """TinyBERT's general distillation (Jiao et al. 2020, section 3.2), and the teacher's predictions of masked tokens.

    `prediction` is the weight of these, with 0 they are not computed; `temperature` softens them.
    """

    def __init__(
        self, student: BertForPreTraining, intermediate: IntermediateDistillation, *, prediction: float,
        temperature: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.student, self.intermediate = student, intermediate
        self._prediction, self._temperature = prediction, temperature
        freeze_unused_heads(student)
        if not prediction:
            student.cls.requires_grad_(False)
            student.bert.embeddings.requires_grad_(True)  # the output layer shares the word embeddings

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The weighted losses of a masked batch with its `corpus_targets`."""
        with capture(self.student.bert, range(self.student.config.num_hidden_layers)) as states:
            hidden_BLH = encode_blocks(self.student.bert, batch)
        losses = self.intermediate(states, batch["teacher"], **_compared(batch))
        if self._prediction:
            student_MV = predict_masked(self.student, hidden_BLH, batch)
            loss = soft_cross_entropy(student_MV, batch["teacher_logits"], temperature=self._temperature)
            losses["prediction"] = loss * self._prediction
        return losses

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The number of elements that each loss is the mean of, scalars."""
        return self.intermediate.counts(**_compared(batch)) | {"prediction": count_of(batch["predicted"])}


def _compared(batch: Batch) -> dict[str, torch.Tensor]:
    """Every token, since blocks have no padding, and every pair within a document."""
    return {"real_BL": torch.ones_like(batch["input_ids"], dtype=torch.bool), "visible_B1LL": batch["visible"]}


def corpus_targets(
    teacher: BertForPreTraining, batch: Batch, *, layers: Sequence[int], predictions: bool,
    autocast: Callable[..., AbstractContextManager],
) -> Batch:  # fmt: skip
    """A batch's distillation targets: "teacher", the States of `layers`; if `predictions`, "teacher_logits" [M, V].

    `teacher` is in eval mode. Computed in inference mode and cloned, since autograd saves no tensor made there.
    """
    assert not teacher.training
    with torch.inference_mode(), autocast(), capture(teacher.bert, layers) as states:
        hidden_BLH = encode_blocks(teacher.bert, batch)
        logits = {"teacher_logits": predict_masked(teacher, hidden_BLH, batch)} if predictions else {}
    return {"teacher": states.cloned(), **{name: tensor.clone() for name, tensor in logits.items()}}


def distill(
    student: BertForPreTraining, teacher: BertForPreTraining, blocks: np.ndarray | Mixture, *, tokenizer: BertTokenizer,
    projections: nn.ModuleList, teacher_layers: list[int], steps: int = 400, batch_size: int = 16,
    learning_rate: float = 1e-3, warmup: float = 0.1, weight_decay: float = 0.01,
    weights: Mapping[str, float] = EQUAL_WEIGHTS, temperature: float = 1.0, mask_probability: float = 0.2,
    whole_words: bool = False, dropout: float = 0.0, seed: int = 0, accelerator: Accelerator | None = None,
    state: TrainState | None = None, folder: Path | None = None, progress: Progress | None = None,
) -> list[dict[str, float]]:  # fmt: skip
    """Distil `teacher` into `student` and `projections` in place, on packed `blocks` [N, L]; return the training curve.

    `projections` are those of `intermediate.projections_for`, `teacher_layers` those of `pruning.layers.choose_layers`.
    `weights` are those of the losses, "prediction" softened by `temperature`. The other arguments are those of `train`.
    Raises InputError where the teacher has no MLM head to learn from, or different numbers of heads would be compared.
    """
    prediction = weights["prediction"]
    if prediction and not has_mlm_head(teacher):  # a student would learn the noise that a random head predicts
        raise InputError(
            f"losses.prediction is {prediction}, but the teacher's checkpoint has no MLM head to learn from; expected "
            "0, or a teacher that was pretrained with one"
        )
    accelerator, state = accelerator or set_up(), state or TrainState()
    device, shard, autocast = accelerator.device, shard_of(accelerator), accelerator.autocast
    intermediate = IntermediateDistillation(
        projections, student.config, teacher.config, teacher_layers=teacher_layers, weights=weights
    )
    objective = GeneralDistillation(student, intermediate, prediction=prediction, temperature=temperature).to(device)
    set_dropout(student, hidden=dropout)
    teacher = cast_linear_weights_to_bf16(teacher.to(device).eval(), accelerator)
    masking = masking_for(
        tokenizer, probability=mask_probability, whole_words=whole_words, vocab_size=student.config.vocab_size
    )

    def batch(step: int) -> Batch:
        masked = masked_batch(
            blocks, step, batch_size=batch_size, seed=seed, masking=masking, device=device, shard=shard
        )
        return masked | corpus_targets(
            teacher, masked, layers=teacher_layers, predictions=prediction > 0, autocast=autocast
        )

    for _ in train(
        objective, batches=batch, steps=steps, learning_rate=learning_rate, warmup=warmup, weight_decay=weight_decay,
        seed=seed, accelerator=accelerator, state=state, folder=folder, progress=progress,
    ):  # fmt: skip
        pass
    student.eval()
    return state.curve
