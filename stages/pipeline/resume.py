"""Resume points on disk: the last whole state of a run that was cut off, and the one before it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from stages.pipeline.progress import say

STATE, BEFORE = "state.safetensors", "before.safetensors"
State = tuple[dict[str, torch.Tensor], dict[str, Any]]


def save(folder: Path, *, tensors: dict[str, torch.Tensor], values: dict[str, Any]) -> None:
    """Write tensors and JSON values as one file, with their digest; what was saved last stays as the one before.

    Killed at any byte, one whole state is there under one of the two names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{STATE}.partial"
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    try:
        # One entry, since safetensors writes several in an order of chance.
        save_file(tensors, partial, {"state": json.dumps({"digest": _digest(tensors, values), "values": values})})
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
    except BaseException:  # whatever ends it, a full disk above all: nothing half-written stays
        partial.unlink(missing_ok=True)
        raise
    if (folder / STATE).exists():
        os.replace(folder / STATE, folder / BEFORE)
    os.replace(partial, folder / STATE)


def load(folder: Path) -> State | None:
    """What `save` wrote last, or before that where the last is damaged, which is said; None where there is nothing."""
    for name in (STATE, BEFORE):
        if (folder / name).exists():
            try:
                return _read(folder / name)
            except ValueError as error:
                say(f"{folder / name} is damaged ({error}); it is not used")
    return None


def _read(file: Path) -> State:
    """Raises ValueError for a file that is not what `save` wrote."""
    try:
        with safe_open(file, framework="pt") as opened:
            state = json.loads((opened.metadata() or {})["state"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
            digest, values = state["digest"], state["values"]
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if digest != _digest(tensors, values):
        raise ValueError("its digest is another")
    return tensors, values


def _digest(tensors: dict[str, torch.Tensor], values: dict[str, Any]) -> str:
    digest = hashlib.blake2b(json.dumps(values).encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()
