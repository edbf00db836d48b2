"""How this process computes: threads, device, precision, determinism, memory."""

import ctypes
import math
import os
import platform
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal

import psutil
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

Precision = Literal["auto", "float32", "bfloat16"]
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEEP_FREED = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**28}
"""Large tensors are not mapped one by one, nothing is given back, and the heap grows by 256 MiB."""
PACKAGES = (
    *("accelerate", "datasets", "numpy", "onnx", "onnxruntime", "pyarrow"),
    *("safetensors", "scipy", "tokenizers", "torch", "transformers"),
)
MULTIPLIERS = ("avx512_bf16", "avx512_fp16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")
"""Instructions that decide which matrix kernels are used; processors of one name may differ in them."""
CONTROL_GROUPS = Path("/proc/self/cgroup")
MEMORY_LIMITS = (
    (Path("/sys/fs/cgroup"), "memory.max"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
)
"""Roots of Linux's control groups, versions 2 and 1, and the files of their limits."""


def set_up(*, threads: int | Literal["auto"] = "auto", precision: Precision = "auto", cpu: bool = False) -> Accelerator:
    """Set threads and deterministic algorithms for the whole process, and return its Accelerator.

    `threads` "auto" takes all cores that this process may use; several processes on one machine divide its cores.
    `precision` "auto" is bfloat16 where the hardware multiplies it faster, else float32. `cpu` ignores a GPU.
    """
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    torch.set_num_threads(max(1, cores) if threads == "auto" else threads)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS requires it in deterministic mode
    torch.use_deterministic_algorithms(True)
    # Nothing reads uninitialised memory, and filling it takes time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    bfloat16 = precision == "bfloat16" or (precision == "auto" and _multiplies_bfloat16())
    # Otherwise the order in which gradients are summed changes after the first step, and a resumed run would not have
    # the bits of an undisturbed one.
    ddp = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(mixed_precision="bf16" if bfloat16 else "no", cpu=cpu, kwargs_handlers=[ddp])


def tune_glibc(options: Mapping[int, int]) -> None:
    """Set options of glibc's mallopt(3) for the rest of the process; does nothing with another C library.

    With KEEP_FREED a step reuses the memory of freed tensors. By default glibc gives it back, and the system clears it
    again, page by page, in every step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda option, value: 0)
    for option, value in options.items():
        mallopt(option, value)


def spare_memory(accelerator: Accelerator) -> int:
    """Bytes that this process may fill with what it could compute again: a quarter of what is free on its device.

    Processes on one machine share its memory. On a GPU each is taken to have one of its own.
    """
    if accelerator.device.type == "cuda":
        return torch.cuda.mem_get_info(accelerator.device)[0] // 4
    allowed = _memory_limit() - psutil.Process().memory_info().rss
    free = max(0, min(psutil.virtual_memory().available, allowed))
    return int(free) // 4 // int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def _memory_limit() -> float:
    """Bytes that the control group of this process may take, as those of containers and of cluster jobs; else inf."""
    lines = CONTROL_GROUPS.read_text(encoding="utf-8").splitlines() if CONTROL_GROUPS.exists() else []
    groups = [Path(line.split(":", 2)[2].lstrip("/")) for line in lines]
    nested = {Path(), *groups, *(parent for group in groups for parent in group.parents)}
    files = (root / group / name for group in nested for root, name in MEMORY_LIMITS)
    limits = [file.read_text(encoding="utf-8").strip() for file in files if file.is_file()]
    return min((int(limit) for limit in limits if limit.isdigit()), default=math.inf)  # "max" is none


def _multiplies_bfloat16() -> bool:
    """Whether the hardware multiplies matrices faster in it than in float32.

    A processor without instructions for it is slower, and so is one of Intel's that has avx512_bf16 without AMX: 1.2
    times, in a training step of 32 x 128 tokens, 6 layers of 256.
    """
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    supported = torch.cpu.get_capabilities()
    return bool(supported.get("amx_bf16") or (supported.get("avx512_bf16") and "Intel" not in _processor()))


def describe(accelerator: Accelerator) -> dict[str, Any]:
    """All that the bytes of a result depend on beside its inputs: hardware, threads, precision, versions."""
    on_gpu, supported = accelerator.device.type == "cuda", torch.cpu.get_capabilities()
    instructions = [torch.backends.cpu.get_cpu_capability(), *(name for name in MULTIPLIERS if supported.get(name))]
    return {
        "processor": _processor(),
        "instructions": " ".join(instructions),
        "gpu": torch.cuda.get_device_name(accelerator.device) if on_gpu else None,
        "threads": torch.get_num_threads(),
        "processes": accelerator.num_processes,
        "precision": "bfloat16" if accelerator.mixed_precision == "bf16" else "float32",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: next((p.version for p in distributions(name=name)), None) for name in PACKAGES},
    }


def _processor() -> str:
    """The processor's model name, which the standard library does not give on Linux."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
