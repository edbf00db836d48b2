"""An ONNX file in the place of the PyTorch model that it was made from."""

from pathlib import Path
from types import SimpleNamespace

import torch

from stages.runtime.session import open_session, outputs


class OnnxModel:
    """Called as the model of Transformers is, and answers with its outputs, by the same names."""

    def __init__(self, file: Path, *, threads: int) -> None:
        self._session = open_session(file, threads=threads)

    def eval(self) -> "OnnxModel":
        return self

    def __call__(self, **inputs: torch.Tensor) -> SimpleNamespace:
        found = outputs(self._session, {name: tensor.cpu().numpy() for name, tensor in inputs.items()})
        return SimpleNamespace(**{name: torch.from_numpy(array) for name, array in found.items()})
