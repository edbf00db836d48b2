"""What saving resume points costs: pretraining with it beside pretraining without, in pairs, in turn.

`python -m benchmarks.saving --pairs 5 --steps 200` writes benchmarks/saving.md. The model is the default teacher.
"""

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from stages.model import attention
from stages.model.scratch import from_scratch
from stages.parameters.initialize import Scratch
from stages.pipeline.parameters import read_file
from stages.training import loop
from stages.training.blocks import Masking, masked_batch
from stages.training.machine import describe, set_up
from stages.training.masked_words import MaskedWords
from tests.pipeline_runs.clone import ROOT

BATCH_SIZE, LENGTH = 8, 128


def seconds(shape: Scratch, *, steps: int, first_wait: float) -> tuple[float, int]:
    """How long `steps` steps take, and how many resume points were saved on the way; the last one always is."""
    accelerator = set_up(threads="auto", precision="float32")
    sizes = shape.model_dump(exclude={"lowercase", "seed"})
    model = from_scratch(seed=1, **sizes)
    model.set_attn_implementation(attention.NAME)
    blocks = np.random.default_rng(1).integers(5, sizes["vocab_size"], (1000, LENGTH))
    masking = Masking(0.2, False, torch.zeros(sizes["vocab_size"], dtype=torch.bool), range(5), 2, 4)
    folder = Path(tempfile.mkdtemp())
    saved = []
    save, loop.resume.save = loop.resume.save, lambda *a, **k: (saved.append(1), save(*a, **k))
    loop.FIRST_WAIT = first_wait
    start = time.perf_counter()
    for _ in loop.train(
        MaskedWords(model), steps=steps, rate=1e-3, warmup=0.1, weight_decay=0.01, seed=1, accelerator=accelerator,
        memory=loop.Memory(), folder=folder, label="with saving" if first_wait < 1e9 else "without",
        batches=lambda step: masked_batch(blocks, step, batch_size=BATCH_SIZE, seed=1, masking=masking,
                                          device=accelerator.device),
    ):  # fmt: skip
        pass
    passed = time.perf_counter() - start
    loop.resume.save = save
    shutil.rmtree(folder)
    return passed, len(saved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    shape = Scratch.model_validate(read_file(ROOT / "params.yaml")["initialize"]["scratch"])
    ratios, rows = [], []
    first_wait = loop.FIRST_WAIT
    seconds(shape, steps=10, first_wait=1e9)
    for _ in range(options.pairs):
        (on, saves), (off, _) = (seconds(shape, steps=options.steps, first_wait=wait) for wait in (first_wait, 1e9))
        ratios.append(on / off)
        rows.append(f"| {on:.1f} | {saves} | {off:.1f} | {on / off:.3f} |")
    machine = describe(set_up(threads="auto", precision="float32"))
    command = f"python -m benchmarks.saving --pairs {options.pairs} --steps {options.steps}"
    where = f"{machine['processor']}, {machine['threads']} threads, {platform.system()}"
    text = f"""# What saving costs

`{command}`: {options.steps} steps of pretraining the default teacher,
{BATCH_SIZE} x {LENGTH} tokens each, on {where}.

| seconds with | resume points | seconds without (but for the last) | ratio |
|---|---|---|---|
{chr(10).join(rows)}

Median ratio: {statistics.median(ratios):.3f}.
"""
    (ROOT / "benchmarks/saving.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
