"""Batches of a task's features, as a function of the step."""

from typing import Any

import torch

from stages.training.batching import epoch_batches, steps_in_epoch


class TaskBatches:
    """Batch number `step` of a training that goes through `features` epoch by epoch, similar lengths together."""

    def __init__(
        self, features: list[dict], kind: Any, *, batch_size: int, seed: int, pad_token_id: int, device: torch.device
    ) -> None:
        self.steps_in_epoch = steps_in_epoch(len(features), batch_size=batch_size)
        self._features, self._kind = features, kind
        self._batch_size, self._seed, self._pad, self._device = batch_size, seed, pad_token_id, device
        self._lengths = [len(feature["input_ids"]) for feature in features]
        self._epoch, self._rows = -1, []

    def __call__(self, step: int) -> dict[str, Any]:
        epoch, place = divmod(step, self.steps_in_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._rows = epoch_batches(self._lengths, batch_size=self._batch_size, seed=self._seed, epoch=epoch)
        batch = self._kind.collate([self._features[n] for n in self._rows[place]], pad_token_id=self._pad)
        batch["tokens"] = batch["attention_mask"].sum()
        return {name: tensor.to(self._device) for name, tensor in batch.items()}
