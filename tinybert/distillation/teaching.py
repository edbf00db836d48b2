"""A fine-tuned teacher's logits on disk, computed once for all students. N features, L length, C classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file


def write_logits(file: Path, logits: Sequence[np.ndarray]) -> None:
    """Write the logits of N features, [C] each, or [L, C] each; the same logits give the same bytes.

    The file holds "logits" [N, C]; or "logits" [sum of L, C], and "lengths" [N].
    """
    if logits[0].ndim == 1:
        tensors = {"logits": np.stack(logits)}
    else:
        tensors = {"logits": np.concatenate(logits), "lengths": np.array([len(rows) for rows in logits])}
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, file)


def read_logits(file: Path) -> list[np.ndarray]:
    """What `write_logits` has written, feature by feature."""
    tensors = load_file(file)
    if "lengths" not in tensors:
        return [*tensors["logits"]]
    return np.split(tensors["logits"], tensors["lengths"].cumsum()[:-1])


def attach_logits(features: Sequence[dict[str, Any]], logits: Sequence[np.ndarray]) -> None:
    """Give each feature its `teacher_logits`."""
    for feature, rows in zip(features, logits, strict=True):
        assert rows.ndim == 1 or len(rows) == len(feature["input_ids"]), "student and teacher tokenize alike"
        feature["teacher_logits"] = rows
