"""The training loop, with its optimizer, its schedule and its running losses.

A batch is a function of its step, and so is all randomness: a resumed run needs no random state. Of several processes
each computes its shard of every batch, and the main process saves for all.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from tinybert.errors import InputError
from tinybert.model.inputs import Batch
from tinybert.training.data_parallel import mean_over_processes
from tinybert.training.devices import KEEP_FREED, tune_glibc
from tinybert.training.progress import Progress
from tinybert.training.resume import ResumePoint
from tinybert.training.sampling import seed_dropout
from tinybert.training.tracking import Tracking

POINTS = 100
"""Points of a curve."""
BETAS, EPSILON, CLIP = (0.9, 0.98), 1e-6, 1.0
"""Of RoBERTa (Liu et al. 2019, section 3.1): BERT's but for the second beta, which suits runs of few steps; gradients
are clipped to this norm, BERT's."""


@dataclass
class TrainState:
    """What a resume point keeps beside weights and optimizer; a caller of `train` may add to it between steps."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    """JSON values."""

    @property
    def curve(self) -> list[dict[str, float]]:
        """Rows of step, learning rate and mean losses since the row before."""
        return self.values.setdefault("curve", [])


def train(
    objective: nn.Module, *, batches: Callable[[int], Batch], steps: int, learning_rate: float, warmup: float,
    weight_decay: float, seed: int, accelerator: Accelerator, state: TrainState | None = None,
    folder: Path | None = None, progress: Progress | None = None,
) -> Iterator[int]:  # fmt: skip
    """Train `objective` in place for `steps` steps, and yield the number of steps done after each.

    `objective(batch)` gives named losses, scalars; their sum is minimised. `batches(step)` gives a batch on the
    accelerator's device, with the number of its real tokens as "tokens", a scalar on the CPU. With several processes it
    is this one's shard of the batch, "tokens" are those of the whole, "weight" is Shard.weight, and
    `objective.counts(batch)` gives the number of elements that each loss is the mean of.

    `learning_rate` is the peak, reached after the share `warmup` of the steps. The run resumes from the resume point in
    `folder`, `state` included, and leaves its last state there, so that a stage with two trainings can resume in the
    second; without a folder nothing is saved. With `progress`, which names it, the curve also goes to trackers (see
    `tracking`). Raises InputError when a loss is not finite.
    """
    tune_glibc(KEEP_FREED)
    state = state or TrainState()
    optimizer = adamw(objective, weight_decay=weight_decay)
    point = ResumePoint(folder, accelerator=accelerator, progress=progress) if folder else None
    first = point.restore(objective, optimizer, state) if point else 0
    prepared, optimizer = accelerator.prepare(objective, optimizer)
    if progress:
        progress.start(steps=steps, done=first)
    tracking = Tracking(accelerator, progress) if progress and progress.tracked else None
    losses = RunningLoss(state.values.setdefault("sums", {}))
    # Each process draws dropout for its own rows.
    position = (seed,) if accelerator.is_main_process else (seed, accelerator.process_index)
    for step in range(first, steps):
        rate, batch = learning_rate_at(step, steps=steps, peak=learning_rate, warmup=warmup), batches(step)
        seed_dropout(*position, step)
        losses.add(step + 1, _update(prepared, objective, optimizer, batch, accelerator, rate=rate))
        if progress:
            progress.step(step + 1, tokens=int(batch["tokens"]), text=losses.text)
        _extend_curve(state, losses, step=step + 1, steps=steps, rate=rate)
        yield step + 1
        del batch  # the caller may hold the next one before this training goes on
        if tracking:
            tracking.send(state.curve)
        if point and point.is_due(is_last=step + 1 == steps):
            losses.fetch()
            point.save(objective, optimizer, state, step=step + 1)
    if tracking:
        tracking.send(state.curve)
        tracking.finish()


def _update(
    prepared: nn.Module, objective: Any, optimizer: Any, batch: Batch, accelerator: Accelerator, *, rate: float
) -> dict[str, torch.Tensor]:
    """One step of `objective`, which the accelerator has wrapped in `prepared`; the losses of the whole batch."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    prepared.train()
    losses: dict[str, torch.Tensor] = prepared(batch)
    losses_K = torch.stack(list(losses.values()))
    minimised = losses_K.sum()
    if accelerator.num_processes > 1:
        counts = objective.counts(batch)
        counts_K = torch.stack([counts[name].float() for name in losses]) * batch["weight"]
        minimised, losses_K = mean_over_processes(losses_K, counts_K, accelerator)
    accelerator.backward(minimised)
    accelerator.clip_grad_norm_(prepared.parameters(), CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return dict(zip(losses, losses_K.detach(), strict=True))


def _extend_curve(state: TrainState, losses: "RunningLoss", *, step: int, steps: int, rate: float) -> None:
    """Add the means since the last point, every `steps` / POINTS steps."""
    every = max(1, steps // POINTS)
    if step % every and step != steps:
        return
    losses.fetch()
    # Not since the curve's last row, which the caller may have added.
    count = step - state.values.get("last_point", 0)
    state.values["last_point"] = step
    means = {name: round(total / count, 5) for name, total in losses.sums.items()}
    state.curve.append({"step": step, "learning_rate": float(f"{rate:.4g}"), **means})
    losses.sums.clear()


def adamw(module: nn.Module, *, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the trainable weights, with decay of matrices but not of biases and layer norms."""
    weights = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)


def learning_rate_at(step: int, *, steps: int, peak: float, warmup: float) -> float:
    """The learning rate of `step`, from 0: linear warm-up to `peak` over the share `warmup` of the steps, then to 0."""
    warmup_steps = warmup * steps
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    return peak * (steps - step) / max(steps - warmup_steps, 1)


class RunningLoss:
    """Sums of the losses since the last point of the curve, kept on the device to avoid host syncs.

    `sums` is up to date after `fetch`, and is part of the TrainState.
    """

    def __init__(self, sums: dict[str, float]) -> None:
        self.sums, self._last = sums, dict[str, float]()
        self._on_device: dict[int, dict[str, torch.Tensor]] = {}

    def add(self, step: int, losses: dict[str, torch.Tensor]) -> None:
        """Add the losses of this step, scalars."""
        self._on_device[step] = losses

    def fetch(self) -> None:
        """Bring all losses to the CPU. Raises InputError for the first that is not finite, with its step."""
        if not self._on_device:
            return
        rows = torch.stack([torch.stack(list(losses.values())) for losses in self._on_device.values()]).tolist()
        for (step, losses), row in zip(self._on_device.items(), rows, strict=True):
            self._last = dict(zip(losses, row, strict=True))
            for name, loss in self._last.items():
                if not math.isfinite(loss):
                    raise InputError(
                        f"step {step}: loss {name!r} is {loss}, training has diverged; lower its learning_rate"
                    )
                self.sums[name] = self.sums.get(name, 0.0) + loss
        self._on_device.clear()

    def text(self) -> str:
        """The losses of the last step, formatted."""
        self.fetch()
        return "  ".join(f"{name} {loss:.3f}" for name, loss in self._last.items())
