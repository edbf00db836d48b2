"""How much of what the machine's matrix multiplication can do at best a training reaches."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import mean

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contest import Training

SIZE, TIMES = 2048, 5


def peak(dtype: torch.dtype) -> float:
    """Operations per second, a multiplication and an addition being two, of products of SIZE x SIZE: the best."""
    one, other = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    seconds: list[float] = []
    for _ in range(TIMES):
        start = time.perf_counter()
        torch.mm(one, other)
        seconds.append(time.perf_counter() - start)
    return 2 * SIZE**3 / min(seconds)


def operations(training: Training, *, steps: int) -> float:
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


def section(
    trainings: Mapping[str, Callable[[], Sequence[Training]]], tokens_per_second: Mapping[str, float], *, steps: int
) -> str:
    """A part of a benchmark's page, on phases that have as many steps each, and the speeds of the same names."""
    rows: list[str] = []
    for what, make in trainings.items():
        phases = make()
        dtype = torch.bfloat16 if phases[0].accelerator.mixed_precision == "bf16" else torch.float32
        best, needed = peak(dtype), mean(operations(phase, steps=steps) for phase in phases)
        share = needed * tokens_per_second[what] / best
        rows.append(f"| {what} | {needed / 1e6:.1f} | {best / 1e9:.0f} | {share:.2f} |")
    return f"""## Against the machine

Matrix products of this project's steps (forward and backward, the teacher's too; those within the fused kernel of
attention are not counted), and the share that they reach of the best of {TIMES} products of {SIZE} x {SIZE} in
the same precision:

| | MFLOP for each real token | best product, GFLOP/s | share |
|---|---|---|---|
{chr(10).join(rows)}
"""
