"""Batches of a task's features, as a function of the step."""

from typing import Any

import torch

from stages.training.batching import epoch_batches, moved, steps_in_epoch
from stages.training.sharing import ALONE, Share


class TaskBatches:
    """Batch number `step` of a training that goes through `features` epoch by epoch, similar lengths together.

    Of several processes each gets its `share` of the batch's rows.
    """

    def __init__(
        self, features: list[dict], kind: Any, *, batch_size: int, seed: int, pad_token_id: int, device: torch.device,
        share: Share = ALONE,
    ) -> None:  # fmt: skip
        self.steps_in_epoch = steps_in_epoch(len(features), batch_size=batch_size)
        self._features, self._kind = features, kind
        self._batch_size, self._seed, self._pad, self._device, self._share = (
            batch_size,
            seed,
            pad_token_id,
            device,
            share,
        )
        self._lengths = [len(feature["input_ids"]) for feature in features]
        self._epoch, self._rows = -1, []

    def __call__(self, step: int) -> dict[str, Any]:
        epoch, place = divmod(step, self.steps_in_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._rows = epoch_batches(self._lengths, batch_size=self._batch_size, seed=self._seed, epoch=epoch)
        rows = self._rows[place]
        own = rows[self._share.rows(len(rows))]
        batch = self._kind.collate([self._features[n] for n in own], pad_token_id=self._pad)
        tokens = torch.tensor(sum(self._lengths[n] for n in rows))
        return moved(batch, self._device) | {"tokens": tokens, "weight": self._share.weight(len(rows))}
