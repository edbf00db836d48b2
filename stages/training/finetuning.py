"""Fine-tune epoch by epoch and keep the epoch that validates best."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from stages.pipeline.progress import say
from stages.training.loop import Memory, train
from stages.training.task_batches import TaskBatches


def fit(
    objective: nn.Module,
    model: nn.Module,
    *,
    batches: TaskBatches,
    epochs: int,
    rate: float,
    warmup: float,
    weight_decay: float,
    seed: int,
    accelerator: Accelerator,
    folder: Path,
    label: str,
    score: Callable[[], float],
) -> list[dict[str, Any]]:
    """Train `objective`, which holds `model`, and leave `model` with the weights of its best epoch; return the curve.

    `score()` measures `model` on the validation rows, higher being better; of equal epochs the first is kept. The
    curve has it in its column "validation", in the rows that end an epoch.
    """
    memory = Memory()
    scores: list[float] = []
    for step in train(
        objective, batches=batches, steps=epochs * batches.steps_in_epoch, rate=rate, warmup=warmup,
        weight_decay=weight_decay, seed=seed, accelerator=accelerator, memory=memory, folder=folder, label=label,
    ):  # fmt: skip
        scores = memory.values.setdefault("scores", [])
        if step % batches.steps_in_epoch == 0:
            scores.append(round(score(), 5))
            memory.curve.append({"step": step, "validation": scores[-1]})
            say(f"{label}: epoch {len(scores)}/{epochs}, validation {scores[-1]:.4f}")
            if scores[-1] > max(scores[:-1], default=float("-inf")):
                memory.tensors.update({name: weight.detach().clone() for name, weight in model.named_parameters()})
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(memory.tensors[name])
    return memory.curve
