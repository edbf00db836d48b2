"""Fine-tuning epoch by epoch: objective, batches, and the choice of the epoch that validates best."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from tinybert.model.inputs import Batch, model_inputs
from tinybert.tasks.protocol import Feature, TaskModel
from tinybert.training.data_parallel import UNSHARDED, Shard
from tinybert.training.loop import TrainState, train
from tinybert.training.progress import Progress
from tinybert.training.sampling import epoch_batches, epoch_order, to_device


class TaskPrediction(nn.Module):
    """The loss to the gold labels, to the teacher's predictions, or both, with weights `hard` and `soft`.

    Batch in, named scalar losses out. Rows without gold labels count in the second alone. With `soft` the batch holds
    "teacher_logits".
    """

    def __init__(self, model: nn.Module, task: TaskModel, *, hard: float, soft: float, temperature: float) -> None:
        super().__init__()
        self.model = model.requires_grad_(True)  # the pooler too, which the distillation of hidden states freezes
        self._task, self._hard, self._soft, self._temperature = task, hard, soft, temperature

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        logits = self._task.logits(self.model(**model_inputs(batch)))
        losses: dict[str, torch.Tensor] = {}
        if self._hard:
            losses["hard"] = self._hard * self._task.hard_loss(logits, batch)
        if self._soft:
            losses["soft"] = self._soft * self._task.soft_loss(logits, batch, temperature=self._temperature)
        return losses

    def counts(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Over how many examples each loss is the mean, scalars."""
        return self._task.counts(batch)


class TaskBatches:
    """The batch of each step of a training that goes through `features` epoch by epoch, similar lengths together.

    Without `regroup` the rows that share a batch in the first epoch share it in all, and the order of the batches alone
    changes. Of several processes each has its `shard` of the batch's rows.
    """

    def __init__(
        self, features: list[Feature], task: TaskModel, *, batch_size: int, seed: int, pad_token_id: int,
        device: torch.device, shard: Shard = UNSHARDED, regroup: bool = True,
    ) -> None:  # fmt: skip
        self.steps_in_epoch = -(-len(features) // batch_size)  # the last batch may be smaller
        self._features, self._task, self._pad, self._device, self._shard = features, task, pad_token_id, device, shard
        self._batch_size, self._seed, self._regroup = batch_size, seed, regroup
        self._lengths = [len(feature["input_ids"]) for feature in features]
        self._epoch, self._groups = -1, list[np.ndarray]()

    def __call__(self, step: int) -> Batch:
        rows = self._rows(step // self.steps_in_epoch if self._regroup else 0)[self.group(step)]
        own = rows[self._shard.rows(len(rows))]
        batch = self._task.collate([self._features[n] for n in own], pad_token_id=self._pad)
        tokens = torch.tensor(sum(self._lengths[n] for n in rows))
        return to_device(batch, self._device) | {"tokens": tokens, "weight": self._shard.weight(len(rows))}

    def group(self, step: int) -> int:
        """Which of its epoch's groups of rows a step trains on. Without `regroup` a number has the same rows always."""
        epoch, place = divmod(step, self.steps_in_epoch)
        return int(epoch_order(self.steps_in_epoch, seed=self._seed, epoch=epoch)[place])

    def _rows(self, epoch: int) -> list[np.ndarray]:
        """The rows of each group of an epoch."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._groups = epoch_batches(self._lengths, batch_size=self._batch_size, seed=self._seed, epoch=epoch)
        return self._groups


def fit(
    objective: nn.Module, model: nn.Module, *, batches: TaskBatches, epochs: int, learning_rate: float, warmup: float,
    weight_decay: float, seed: int, accelerator: Accelerator, score: Callable[[], float], folder: Path | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Train `objective`, which holds `model`, leave `model` with the weights of its best epoch, and return the curve.

    `score()` measures `model` on the validation rows, higher being better; of equal epochs the first is kept. It is the
    curve's column "validation", in the rows that end an epoch. `folder` and `progress` are those of `train`.
    """
    state = TrainState()
    for step in train(
        objective, batches=batches, steps=epochs * batches.steps_in_epoch, learning_rate=learning_rate, warmup=warmup,
        weight_decay=weight_decay, seed=seed, accelerator=accelerator, state=state, folder=folder, progress=progress,
    ):  # fmt: skip
        scores: list[float] = state.values.setdefault("scores", [])
        if step % batches.steps_in_epoch == 0:
            scores.append(round(score(), 5))
            state.curve.append({"step": step, "validation": scores[-1]})
            if progress:
                progress.note(f"epoch {len(scores)}/{epochs}, validation {scores[-1]:.4f}")
            if scores[-1] > max(scores[:-1], default=float("-inf")):
                state.tensors.update({name: weight.detach().clone() for name, weight in model.named_parameters()})
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(state.tensors[name])
    return state.curve
