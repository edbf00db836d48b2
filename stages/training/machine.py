"""How this process computes: threads, device, precision, determinism."""

import os
from typing import Literal

import torch
from accelerate import Accelerator

Precision = Literal["auto", "float32", "bfloat16"]


def set_up(*, threads: int | Literal["auto"], precision: Precision) -> Accelerator:
    """Deterministic algorithms, `threads` CPU threads (`auto`: all cores this process may use), and an Accelerator.

    `auto` precision is bfloat16 on a GPU that has it, float32 elsewhere.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)) if threads == "auto" else threads)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS asks for it in deterministic mode
    torch.use_deterministic_algorithms(True)
    half = precision == "bfloat16" or (
        precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    )
    return Accelerator(mixed_precision="bf16" if half else "no")
