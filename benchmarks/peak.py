"""The share of the machine's best matrix multiplication that a training reaches."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import mean

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machines import table
from benchmarks.throughput import Training

SIZE, TIMES = 2048, 5


def peak(dtype: torch.dtype) -> float:
    """The best FLOP/s of products of SIZE x SIZE, a multiplication and an addition being two operations."""
    left, right = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    seconds: list[float] = []
    for _ in range(TIMES):
        start = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - start)
    return 2 * SIZE**3 / min(seconds)


def flops_per_token(training: Training, *, steps: int) -> float:
    """Operations for each real token in the matrix products of steps, forward and backward, teacher included.

    Those within the fused kernel of attention are not counted.
    """
    training.objective.train()
    tokens = 0.0
    with FlopCounterMode(display=False) as counter:
        for step in range(steps):
            batch = training.batches(step)
            with training.accelerator.autocast():
                losses = training.objective(batch)
            torch.stack([*losses.values()]).sum().backward()
            tokens += float(batch["tokens"])
    return counter.get_total_flops() / tokens


def share_table(page: str) -> str:
    """Its name."""
    return f"{page}: share of the best product"


def section(
    page: str, trainings: Mapping[str, Callable[[], Sequence[Training]]], tokens_per_second: Mapping[str, float], *,
    steps: int, epochs: Mapping[str, int] | None = None,
) -> str:  # fmt: skip
    """A section of the `page` of a benchmark, on the phases of each training and its speed.

    Each phase has `steps` steps, in each of its `epochs`, which are 1 unless given.
    """
    cells: dict[str, str] = {}
    for name, make in trainings.items():
        phases = make()
        dtype = torch.bfloat16 if phases[0].accelerator.mixed_precision == "bf16" else torch.float32
        best, needed = (
            peak(dtype),
            mean(flops_per_token(phase, steps=steps * (epochs or {}).get(name, 1)) for phase in phases),
        )
        share = needed * tokens_per_second[name] / best
        cells[name] = f"{share:.2f} of {best / 1e9:.0f} GFLOP/s, {needed / 1e6:.1f} MFLOP a token"
    return described(table(share_table(page), cells, head=""))


def described(rows: str) -> str:
    return f"""## Against the machine

Matrix products of this project's steps (forward and backward, the teacher's too; those within the fused kernel of
attention are not counted) for each real token, and the share that they reach of the best of {TIMES} products of
{SIZE} x {SIZE} in the same precision:

{rows}
"""
