"""Run a fine-tuned model over features, longest first, padding little; several processes take turns."""

from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object

from stages.training.task_prediction import inputs

TOKENS = 8192
"""Padded tokens in a batch."""


def predict(model: Any, features: list[dict], kind: Any, *, pad_token_id: int, accelerator: Any) -> list[np.ndarray]:
    """Logits of each feature in the features' order, without padding: [C], or [L, C] for a kind with one per token."""
    model.eval()
    lengths = [len(feature["input_ids"]) for feature in features]
    order = sorted(range(len(features)), key=lambda n: (-lengths[n], n))
    logits: dict[int, np.ndarray] = {}
    for rows in _batches(order, lengths)[accelerator.process_index :: accelerator.num_processes]:
        batch = kind.collate([features[n] for n in rows], pad_token_id=pad_token_id)
        batch = {name: tensor.to(accelerator.device) for name, tensor in inputs(batch).items()}
        with torch.inference_mode(), accelerator.autocast():
            found = kind.logits(model(**batch)).float().cpu().numpy()
        for n, one in zip(rows, found, strict=True):
            logits[n] = one[: lengths[n]].copy() if one.ndim > 1 else one
    return [one for _, one in sorted(gather_object([*logits.items()]))]


def _batches(order: list[int], lengths: list[int]) -> list[list[int]]:
    batches: list[list[int]] = []
    for n in order:
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > TOKENS:
            batches.append([])
        batches[-1].append(n)
    return batches
