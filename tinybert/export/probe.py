"""Load one model in a process of its own, run it once, and print the load time and the peak memory as JSON.

`python -m tinybert.export.probe RUNTIME PLACE LENGTH THREADS`, where PLACE is a Transformers folder for `torch`, and
an ONNX file for `onnxruntime`.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

KILOBYTE = 1024
Call = Callable[[dict[str, np.ndarray]], object]
"""One forward pass over arrays [B, L] by name."""


def probe(runtime: str, place: Path, *, length: int, threads: int) -> dict[str, Any]:
    """`load_ms`, from the file to a model that can be called, and `peak_bytes` of the process after one call."""
    command = [sys.executable, "-m", __name__, runtime, str(place), str(length), str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def load_torch(folder: Path) -> Any:
    """The model in `folder`, in the class that its config names, with the defaults that every user of it gets."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    (architecture,) = transformers.AutoConfig.from_pretrained(folder, local_files_only=True).architectures or [""]
    return getattr(transformers, architecture).from_pretrained(folder, local_files_only=True).eval()


def torch_call(model: Any) -> Call:
    import torch

    def call(inputs: dict[str, np.ndarray]) -> object:
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(array) for name, array in inputs.items()})

    return call


def peak_bytes() -> int | None:
    """The peak memory of this process, or None where there is no /proc.

    On Linux, getrusage's peak starts at that of the parent process, so it is not used.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * KILOBYTE for line in lines if line.startswith("VmHWM")), None)


def _main(runtime: str, place: str, length: str, threads: str) -> None:
    ids = np.ones((1, int(length)), dtype=np.int64)
    probes = {"torch": _probe_torch, "onnxruntime": _probe_onnx}
    seconds, call = probes[runtime](Path(place), int(threads))
    call({"input_ids": ids, "attention_mask": ids, "token_type_ids": np.zeros_like(ids)})
    print(json.dumps({"load_ms": round(seconds * 1000, 1), "peak_bytes": peak_bytes()}))


def _probe_torch(folder: Path, threads: int) -> tuple[float, Call]:
    import torch
    import transformers  # noqa: F401  imports do not count as loading

    torch.set_num_threads(threads)
    start = time.perf_counter()
    model = load_torch(folder)
    return time.perf_counter() - start, torch_call(model)


def _probe_onnx(file: Path, threads: int) -> tuple[float, Call]:
    from tinybert.export.runtime import open_session, run_session

    start = time.perf_counter()
    session = open_session(file, threads=threads)
    return time.perf_counter() - start, lambda inputs: run_session(session, inputs)


if __name__ == "__main__":
    _main(*sys.argv[1:])
