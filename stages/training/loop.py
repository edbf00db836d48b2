"""The one training loop.

A batch is a function of its step, and so is all randomness; what a run must remember is its weights, its optimizer,
its step and what its stage adds, and `resume.save` keeps exactly these. Of several processes each computes its part
of every batch, and the first one saves for all.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn

from stages.pipeline import resume
from stages.pipeline.progress import Progress, say
from stages.training.machine import KEEP_FREED, describe, tune_glibc
from stages.training.optimizer import CLIP, adamw, learning_rate
from stages.training.randomness import seed_dropout
from stages.training.sharing import mean_over_processes
from stages.training.tally import Tally

Batch = dict[str, Any]
POINTS = 100
"""Points of a curve."""
COST = 100
"""A resume point is saved when this many times the duration of the last save has passed: 1 % of the run, and about as
much again by what it leaves to do to caches and disks (`python -m benchmarks.saving`)."""
FIRST_WAIT = 3.0
"""Seconds until the first save, whose cost is not known yet."""


@dataclass
class Memory:
    """What outlives a kill beside weights and optimizer; a stage adds to it between steps."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def curve(self) -> list[dict[str, float]]:
        """Rows of step, learning rate and mean losses since the row before."""
        return self.values.setdefault("curve", [])


def train(
    objective: nn.Module,
    *,
    batches: Callable[[int], Batch],
    steps: int,
    rate: float,
    warmup: float,
    weight_decay: float,
    seed: int,
    accelerator: Accelerator,
    memory: Memory,
    folder: Path,
    label: str,
) -> Iterator[int]:
    """Train `objective` in place for `steps` steps, and yield the number of steps done after each.

    `objective(batch)` gives named losses, scalars; their sum is minimised. `batches(step)` gives a batch on the
    accelerator's device, with the number of its real tokens as "tokens", a scalar on the CPU. Where there are several
    processes it is this one's part of the batch, "tokens" those of the whole, "weight" as Share.weight has it, and
    `objective.counts(batch)` says of how many things each loss is the mean. What `folder` holds of an earlier, killed
    run is taken up, `memory` included; at the end it holds the last state, so that a stage with two trainings can
    go on with the second. Raises InputError when a loss is not a finite number.
    """
    tune_glibc(KEEP_FREED)
    plain = objective
    optimizer = adamw(objective, weight_decay=weight_decay)
    first = _load(folder, objective, optimizer, memory, accelerator)
    objective, optimizer = accelerator.prepare(objective, optimizer)
    if first:
        say(f"{label}: goes on after step {first}/{steps}")
    progress = Progress(label, steps=steps, done=first)
    saver = _Saver(folder)
    tally = Tally(memory.values.setdefault("sums", {}))
    # Dropout is drawn by each process for its own rows.
    position = (seed,) if accelerator.is_main_process else (seed, accelerator.process_index)
    for step in range(first, steps):
        now, batch = learning_rate(step, steps=steps, peak=rate, warmup=warmup), batches(step)
        seed_dropout(*position, step)
        tally.add(step + 1, _update(objective, plain, optimizer, batch, accelerator, rate=now))
        progress.step(step + 1, tokens=int(batch["tokens"]), text=tally.text)
        _draw(memory, tally, step=step + 1, steps=steps, rate=now)
        yield step + 1
        if accelerator.is_main_process and (step + 1 == steps or saver.is_due()):
            tally.fetch()
            saver.save(plain, optimizer, memory, step=step + 1, machine=describe(accelerator))


def _update(
    objective: nn.Module, plain: Any, optimizer: Any, batch: Batch, accelerator: Accelerator, *, rate: float
) -> dict[str, torch.Tensor]:
    """One step of `objective`, which is `plain` as the accelerator runs it; the losses of the whole batch."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    objective.train()
    losses: dict[str, torch.Tensor] = objective(batch)
    losses_K = torch.stack(list(losses.values()))
    minimised = losses_K.sum()
    if accelerator.num_processes > 1:
        counts = plain.counts(batch)
        counts_K = torch.stack([counts[name].float() for name in losses]) * batch["weight"]
        minimised, losses_K = mean_over_processes(losses_K, counts_K, accelerator)
    accelerator.backward(minimised)
    accelerator.clip_grad_norm_(objective.parameters(), CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return dict(zip(losses, losses_K.detach(), strict=True))


def _draw(memory: Memory, tally: Tally, *, step: int, steps: int, rate: float) -> None:
    """End a row of the curve every `steps` / POINTS steps."""
    every = max(1, steps // POINTS)
    if step % every and step != steps:
        return
    tally.fetch()
    # Not since the curve's last row, which may be one that a stage has added.
    count = step - memory.values.get("drawn", 0)
    memory.values["drawn"] = step
    means = {name: round(total / count, 5) for name, total in tally.sums.items()}
    memory.curve.append({"step": step, "learning_rate": float(f"{rate:.4g}"), **means})
    tally.sums.clear()


def _load(
    folder: Path, objective: nn.Module, optimizer: torch.optim.Optimizer, memory: Memory, accelerator: Accelerator
) -> int:
    # On another machine there is no such folder, and the files may be newer by the time that another process reads.
    saved = broadcast_object_list([_saved_here(folder, accelerator) if accelerator.is_main_process else None])[0]
    if saved is None:
        return 0
    tensors, values = saved
    parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "optimizer": {}, "memory": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    with torch.no_grad():
        for name, weight in objective.named_parameters():
            weight.copy_(parts["model"][name])
    _fill_optimizer(optimizer, parts["optimizer"])
    memory.tensors.update(parts["memory"])
    memory.values.update(values["memory"])
    return values["step"]


def _saved_here(folder: Path, accelerator: Accelerator) -> resume.State | None:
    """The last state, if this machine as it is now made it; another one rounds otherwise, so that both would mix."""
    saved = resume.load(folder)
    if saved is None:
        return None
    was, here = (one | one["packages"] for one in (saved[1]["machine"], describe(accelerator)))
    others = [f"{name} {was.get(name)} (here {value})" for name, value in here.items() if was.get(name) != value]
    if others:
        shown = ", ".join(one for one in others if not one.startswith("packages "))
        say(f"{folder} is not used, since it was made with {shown}")
    return None if others else saved


def _fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, kind = name.partition("/")
        state.setdefault(int(index), {})[kind] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


class _Saver:
    def __init__(self, folder: Path) -> None:
        self._folder, self._wait, self._last = folder, FIRST_WAIT, time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self._last > self._wait

    def save(self, objective: nn.Module, optimizer: Any, memory: Memory, *, step: int, machine: dict[str, Any]) -> None:
        start = time.monotonic()
        tensors = {f"model/{name}": weight.detach() for name, weight in objective.named_parameters()}
        for index, kinds in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{kind}": tensor for kind, tensor in kinds.items()}
        tensors |= {f"memory/{name}": tensor for name, tensor in memory.tensors.items()}
        resume.save(self._folder, tensors=tensors, values={"step": step, "machine": machine, "memory": memory.values})
        self._last = time.monotonic()
        self._wait = COST * (self._last - start)
