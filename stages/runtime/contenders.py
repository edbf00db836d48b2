"""A teacher and its student in every way that they can be run, as calls of the same shape."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from stages.runtime.latency import interleaved
from stages.runtime.session import open_session, outputs

Inputs = dict[str, np.ndarray]


class Way(NamedTuple):
    """One way to run one model."""

    who: str
    runtime: str
    precision: str


REFERENCE = Way("teacher", "torch", "float32")


Ways = dict[Way, Callable[[Inputs], Any]]


def in_torch(who: str, model: Any) -> Ways:
    """`model` in float32, and with its weights in bfloat16."""
    half = _copy(model).to(torch.bfloat16)
    return {Way(who, "torch", "float32"): _torch_call(model), Way(who, "torch", "bfloat16"): _torch_call(half)}


def in_onnxruntime(who: str, files: dict[str, Path], *, threads: int) -> Ways:
    """The ONNX files of a model, by their precision."""
    sessions = {precision: open_session(file, threads=threads) for precision, file in files.items()}
    return {Way(who, "onnxruntime", precision): _onnx_call(session) for precision, session in sessions.items()}


def timed(ways: Ways, *, batch_size: int, length: int, vocab_size: int, rounds: int) -> dict[Way, np.ndarray]:
    """Seconds of each way on the same batch, in turn, [rounds]."""
    batch = inputs(batch_size, length, vocab_size=vocab_size)
    return interleaved({way: partial(call, batch) for way, call in ways.items()}, rounds=rounds)


def inputs(batch_size: int, length: int, *, vocab_size: int) -> Inputs:
    """Random tokens, [batch_size, length], nothing padded."""
    ids = np.random.default_rng(0).integers(0, vocab_size, (batch_size, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def _copy(model: Any) -> Any:
    copy = type(model)(model.config)
    copy.load_state_dict(model.state_dict())
    return copy.eval()


def _torch_call(model: Any) -> Callable[[Inputs], Any]:
    def call(batch: Inputs) -> Any:
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(array) for name, array in batch.items()})

    return call


def _onnx_call(session: Any) -> Callable[[Inputs], Any]:
    return lambda batch: outputs(session, batch)
