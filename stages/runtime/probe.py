"""Load one model in a process of its own, use it once, and print what that took as JSON.

`python -m stages.runtime.probe RUNTIME PLACE LENGTH THREADS`, where PLACE is a folder of Transformers for `torch`, and
an ONNX file for `onnxruntime`.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

KILOBYTE = 1024


def probe(runtime: str, place: Path, *, length: int, threads: int) -> dict[str, Any]:
    """`load_ms` from the file to a model that can be called, and `peak_bytes` of the process after one call."""
    command = [sys.executable, "-m", __name__, runtime, str(place), str(length), str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _main(runtime: str, place: str, length: str, threads: str) -> None:
    ids = np.ones((1, int(length)), dtype=np.int64)
    loaders = {"torch": _load_torch, "onnxruntime": _load_onnx}
    seconds, call = loaders[runtime](Path(place), int(threads))
    call({"input_ids": ids, "attention_mask": ids, "token_type_ids": np.zeros_like(ids)})
    print(json.dumps({"load_ms": round(seconds * 1000, 1), "peak_bytes": peak_bytes()}))


def peak_bytes() -> int | None:
    """The most memory that this process has had, or None where there is no /proc.

    Not getrusage's, which on Linux begins at the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * KILOBYTE for line in lines if line.startswith("VmHWM")), None)


def _load_torch(folder: Path, threads: int) -> tuple[float, Any]:
    import torch
    import transformers
    from transformers.utils import logging

    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    start = time.perf_counter()
    (head,) = transformers.AutoConfig.from_pretrained(folder).architectures or [""]
    model = getattr(transformers, head).from_pretrained(folder, local_files_only=True).eval()
    seconds = time.perf_counter() - start

    def call(inputs: dict[str, np.ndarray]) -> None:
        with torch.inference_mode():
            model(**{name: torch.from_numpy(array) for name, array in inputs.items()})

    return seconds, call


def _load_onnx(file: Path, threads: int) -> tuple[float, Any]:
    from stages.runtime.session import open_session, outputs

    start = time.perf_counter()
    session = open_session(file, threads=threads)
    seconds = time.perf_counter() - start
    return seconds, lambda inputs: outputs(session, inputs)


if __name__ == "__main__":
    _main(*sys.argv[1:])
