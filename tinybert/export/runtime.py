"""Exported models in onnxruntime. Importing this module does not import torch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    import torch

FLOAT32_FILE, INT8_FILE = "model.onnx", "model_int8.onnx"
"""Float32 in standard operators, and int8 for onnxruntime."""
ERRORS_ONLY = 3
"""A log level of onnxruntime."""


def open_session(file: Path, *, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    # Its threads would otherwise spin while they wait for the next call, on cores that other models may be using.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def run_session(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """All outputs of one forward pass, arrays by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


class OnnxModel:
    """An ONNX file in place of the PyTorch model it was exported from: same inputs, outputs of the same names."""

    def __init__(self, file: Path, *, threads: int) -> None:
        self._session = open_session(file, threads=threads)

    def eval(self) -> OnnxModel:
        return self

    def __call__(self, **inputs: torch.Tensor) -> SimpleNamespace:
        import torch

        outputs = run_session(self._session, {name: tensor.cpu().numpy() for name, tensor in inputs.items()})
        return SimpleNamespace(**{name: torch.from_numpy(array) for name, array in outputs.items()})
