"""Resume points: all that a training needs to continue, after a kill, with the bits of an undisturbed run.

A resume point is one safetensors file with the weights, the optimizer's moments, a TrainState and the step. The last
two are kept, so that one of them is whole at any time.
"""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from tinybert.training.devices import describe
from tinybert.training.progress import Progress

if TYPE_CHECKING:
    from tinybert.training.loop import TrainState

FORMAT = 1
"""Of the file: files of another number are not used. An edit of this module that changes the file increments it."""
LAST, PREVIOUS = "state.safetensors", "previous.safetensors"
COST = 100
"""A resume point is saved when this many times the duration of the last save has passed: 1 % of the run, and about as
much again for the caches and disks that are busy with it afterwards (`benchmarks/saving.md`)."""
FIRST_WAIT = 3.0
"""Seconds until the first save, whose cost is not known yet."""
Tensors = dict[str, torch.Tensor]


class ResumePoint:
    """The resume point of one training in `folder`: restored at its start, saved by the main process on the way."""

    def __init__(self, folder: Path, *, accelerator: Accelerator, progress: Progress | None) -> None:
        self._folder, self._accelerator, self._progress = folder, accelerator, progress
        self._wait, self._saved_at = FIRST_WAIT, time.monotonic()

    def restore(self, objective: nn.Module, optimizer: torch.optim.Optimizer, state: "TrainState") -> int:
        """Fill weights, optimizer and `state` from the resume point, and return its step; 0 where there is none."""
        # Another machine has no such folder, and the file may be newer by the time that another process reads it.
        saved = broadcast_object_list([self._load() if self._accelerator.is_main_process else None])[0]
        self._saved_at = time.monotonic()
        if saved is None:
            return 0
        tensors, values = saved
        weights = _below("model", tensors)
        with torch.no_grad():
            for name, weight in objective.named_parameters():
                weight.copy_(weights[name])
        _fill(optimizer, _below("optimizer", tensors))
        state.tensors.update(_below("state", tensors))
        state.values.update(values["state"])
        return values["step"]

    def is_due(self, *, is_last: bool) -> bool:
        """Whether this process has to save after this step."""
        return self._accelerator.is_main_process and (is_last or time.monotonic() - self._saved_at > self._wait)

    def save(self, objective: nn.Module, optimizer: Any, state: "TrainState", *, step: int) -> None:
        """Save a training of which `step` steps are done."""
        start = time.monotonic()
        tensors = {f"model/{name}": weight.detach() for name, weight in objective.named_parameters()}
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": tensor for name, tensor in moments.items()}
        tensors |= {f"state/{name}": tensor for name, tensor in state.tensors.items()}
        values = {"step": step, "origin": self._origin(), "state": state.values}
        save(self._folder, tensors=tensors, values=values)
        self._saved_at = time.monotonic()
        self._wait = COST * (self._saved_at - start)

    def _origin(self) -> dict[str, Any]:
        """What has to be the same for the training to go on with the same bits."""
        return describe(self._accelerator) | {"format": FORMAT}

    def _load(self) -> tuple[Tensors, dict[str, Any]] | None:
        """What was saved last, unless another machine, other packages or another format made it."""
        saved = load(self._folder, progress=self._progress)
        if saved is None:
            return None
        there, here = (origin | origin["packages"] for origin in (saved[1]["origin"], self._origin()))
        changed = [name for name, value in here.items() if there.get(name) != value]
        if changed and self._progress:
            values = ", ".join(f"{n} {there.get(n)} (here {here[n]})" for n in changed if n != "packages")
            self._progress.note(f"{self._folder} is not used, it was saved with {values}")
        return None if changed else saved


def _below(part: str, tensors: Tensors) -> Tensors:
    """The tensors named `part`/NAME, by NAME."""
    return {name.removeprefix(f"{part}/"): t for name, t in tensors.items() if name.startswith(f"{part}/")}


def _fill(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        index, _, moment = name.partition("/")
        state.setdefault(int(index), {})[moment] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def save(folder: Path, *, tensors: Tensors, values: dict[str, Any]) -> None:
    """Write tensors and JSON values as one file with a digest; the file that was the last becomes the previous one.

    Killed at any byte, one whole file is there under one of the two names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{LAST}.partial"
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    try:
        # One metadata entry, since safetensors writes several in random order.
        state = json.dumps({"digest": _digest(tensors, values), "values": values})
        save_file(tensors, partial, {"state": state})
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
    except BaseException:  # whatever ends it, a full disk above all: nothing half-written stays
        partial.unlink(missing_ok=True)
        raise
    if (folder / LAST).exists():
        os.replace(folder / LAST, folder / PREVIOUS)
    os.replace(partial, folder / LAST)


def load(folder: Path, *, progress: Progress | None = None) -> tuple[Tensors, dict[str, Any]] | None:
    """What `save` wrote last, or before that where the last file is damaged; None where no file is whole."""
    for name in (LAST, PREVIOUS):
        if (folder / name).exists():
            try:
                return _read(folder / name)
            except ValueError as error:
                if progress:
                    progress.note(f"{folder / name} is damaged ({error}); it is not used")
    return None


def _read(file: Path) -> tuple[Tensors, dict[str, Any]]:
    """Raises ValueError for a file that `save` did not write."""
    try:
        with safe_open(file, framework="pt") as opened:
            state = json.loads((opened.metadata() or {})["state"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
            digest, values = state["digest"], state["values"]
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if digest != _digest(tensors, values):
        raise ValueError("its digest does not match")
    return tensors, values


def _digest(tensors: Tensors, values: dict[str, Any]) -> str:
    digest = hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()
