"""A model folder as a function from arrays to arrays: an ONNX file by onnxruntime, or safetensors by Transformers.

B batch, L length, C classes. Importing this module does not import torch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from onnxruntime.capi import onnxruntime_pybind11_state as errors  # pyright: ignore[reportAttributeAccessIssue]

from tinybert.errors import InputError, shorten
from tinybert.export.runtime import open_session, run_session

Precision = Literal["int8", "float32"]
Network = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
"""From input_ids, attention_mask and token_type_ids, [B, L] int64, to logits by the names of the outputs."""
FILES: dict[Precision, tuple[str, ...]] = {
    "int8": ("model_int8.onnx", "onnx/model_quantized.onnx"), "float32": ("model.onnx", "onnx/model.onnx"),
}  # fmt: skip
"""Of a folder of this pipeline, and of one in the layout of Optimum and Transformers.js."""
WEIGHTS = "model.safetensors"
BROKEN = (
    errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented,
    errors.RuntimeException,
)  # fmt: skip
"""What onnxruntime raises for a file that is no model, or one that it cannot run."""


def open_network(folder: Path, *, precision: Precision | None, threads: int | None) -> Network:
    """The network in `folder`: of `precision`, or else of int8 where there is one, float32, or the PyTorch weights.

    `threads` of None takes what the runtime takes by itself. Raises InputError where the folder has no such file.
    """
    for wanted in (precision,) if precision else FILES:
        for name in FILES[wanted]:
            if (folder / name).is_file():
                return _onnx(folder / name, threads)
    if precision == "int8" or not (folder / WEIGHTS).is_file():
        names = FILES[precision] if precision else [name for names in FILES.values() for name in names]
        raise InputError(f"{folder} has none of {', '.join([*names, *([] if precision == 'int8' else [WEIGHTS])])}")
    return _transformers(folder, threads)


def _onnx(file: Path, threads: int | None) -> Network:
    try:
        session = open_session(file, threads=threads or 0)
    except BROKEN as error:
        raise InputError(f"{file} cannot be read as a model: {shorten(str(error))}") from error
    return lambda inputs: run_session(session, inputs)


def _transformers(folder: Path, threads: int | None) -> Network:
    import torch
    import transformers

    if threads:
        torch.set_num_threads(threads)
    config: Any = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    head = getattr(transformers, config.architectures[0])
    model = head.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32).eval()

    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            outputs = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return run
