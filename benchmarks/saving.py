"""The cost of saving resume points: pretraining with it beside pretraining without, in pairs, in turn.

`python -m benchmarks.saving --pairs 5 --steps 200` writes benchmarks/saving.md. The model is the default teacher.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from ruamel.yaml import YAML

from benchmarks.clones import ROOT
from benchmarks.machines import legend, table
from tinybert.model import attention
from tinybert.model.initialization import random_bert
from tinybert.pretraining.masking import Masking, masked_batch
from tinybert.pretraining.mlm import MaskedLanguageModeling
from tinybert.training import resume
from tinybert.training.devices import set_up
from tinybert.training.loop import train
from tinybert.training.progress import Progress

BATCH_SIZE, LENGTH = 8, 128
PAGE = "saving"


def default_shape() -> dict[str, Any]:
    """Arguments of random_bert for the default teacher."""
    scratch = YAML(typ="safe").load(ROOT / "params.yaml")["initialize"]["scratch"]
    return {key: value for key, value in scratch.items() if key not in ("lowercase", "seed")}


def seconds(shape: dict[str, Any], *, steps: int, folder: Path | None) -> tuple[float, int]:
    """The time of `steps` steps, and the number of resume points saved on the way into `folder`, the last included."""
    accelerator = set_up(threads="auto", precision="float32")
    model = random_bert(seed=1, **shape)
    model.set_attn_implementation(attention.NAME)
    blocks = np.random.default_rng(1).integers(5, shape["vocab_size"], (1000, LENGTH))
    masking = Masking(0.2, False, torch.zeros(shape["vocab_size"], dtype=torch.bool), range(5), 2, 4)
    with patch.object(resume, "save", wraps=resume.save) as save:
        start = time.perf_counter()
        for _ in train(
            MaskedLanguageModeling(model), steps=steps, learning_rate=1e-3, warmup=0.1, weight_decay=0.01, seed=1,
            batches=lambda step: masked_batch(blocks, step, batch_size=BATCH_SIZE, seed=1, masking=masking,
                                              device=accelerator.device),
            accelerator=accelerator, folder=folder, progress=Progress("with saving" if folder else "without"),
        ):  # fmt: skip
            pass
        return time.perf_counter() - start, save.call_count


def cells(pairs: Sequence[tuple[float, float, int]]) -> dict[str, str]:
    """Of seconds with and without resume points, and their number."""
    with_points, without, counts = zip(*pairs, strict=True)
    ratios = [on / off for on, off, _ in pairs]
    return {
        "seconds with resume points": f"{statistics.median(with_points):.1f}",
        "resume points": f"{statistics.median(counts):g}",
        "seconds without, but for the last": f"{statistics.median(without):.1f}",
        "ratio": f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    shape = default_shape()
    pairs: list[tuple[float, float, int]] = []
    seconds(shape, steps=10, folder=None)
    for _ in range(options.pairs):
        with tempfile.TemporaryDirectory() as folder:
            on, saves = seconds(shape, steps=options.steps, folder=Path(folder) / "resume")
        off, _ = seconds(shape, steps=options.steps, folder=None)
        pairs.append((on, off, saves))
    command = f"python -m benchmarks.saving --pairs {options.pairs} --steps {options.steps}"
    costs = table(PAGE, cells(pairs), head="")
    text = f"""# What saving costs

`{command}`: {options.steps} steps of pretraining the default teacher,
{BATCH_SIZE} x {LENGTH} tokens each. Medians of the pairs, in brackets the smallest and the largest:

{costs}

{legend(PAGE)}
"""
    (ROOT / "benchmarks/saving.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
