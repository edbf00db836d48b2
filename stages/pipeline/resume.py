"""A resume point on disk: the last whole state of a run that was cut off."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

STATE = "state.safetensors"


def save(folder: Path, *, tensors: dict[str, torch.Tensor], values: dict[str, Any]) -> None:
    """Write tensors and JSON values as one file, replaced in one rename."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{STATE}.partial"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, {"values": json.dumps(values)})
    with open(partial, "rb") as written:
        os.fsync(written.fileno())
    os.replace(partial, folder / STATE)


def load(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """What `save` wrote last, or None where it wrote nothing."""
    if not (folder / STATE).exists():
        return None
    with safe_open(folder / STATE, framework="pt") as file:
        values = json.loads((file.metadata() or {})["values"])
        return {name: file.get_tensor(name) for name in file.keys()}, values
