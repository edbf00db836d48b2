"""Tokens per second of masked language modelling, beside transformers.Trainer as its run_mlm example sets it up.

`python -m benchmarks.pretraining --rounds 3 --steps 8` writes benchmarks/pretraining.md. The contenders train in turn,
on the same blocks of random token ids; no block has padding, so that every token counts. After that each trains on the
same blocks of the documentation corpus (data/packed, which `dvc repro pack` makes) to show that the loss falls alike.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import BertForMaskedLM, BertForPreTraining, DataCollatorForLanguageModeling

from benchmarks.contest import (
    OURS,
    RATE,
    VOCABULARY,
    Ends,
    Training,
    as_loaded,
    build,
    lines,
    machine,
    median_speed,
    rounds_of,
    speed,
    train_by_trainer,
    train_here,
)  # fmt: skip
from benchmarks.peak import section
from stages.model.checkpoint import set_dropout
from stages.text.blocks_file import read_blocks
from stages.text.tokenizer import load_tokenizer
from stages.training import loop
from stages.training.blocks import masked_batch, masking_for
from stages.training.machine import describe
from stages.training.masked_words import MaskedWords
from tests.pipeline_runs.clone import ROOT

LENGTH, BATCH, MASKED = 128, 8, 0.15
SHAPES = {"2 layers, 128": (2, 128, 2, 512), "4 layers, 312": (4, 312, 12, 1200), "6 layers, 384": (6, 384, 12, 1536)}
SHOWN = "4 layers, 312"
Run = tuple[Ends, list[float]]
"""Times, and the losses of steps."""


def training(name: str, blocks: np.ndarray, tokenizer: Any) -> Training:
    accelerator = machine()
    model = as_loaded(build(BertForPreTraining, SHAPES[name]))
    set_dropout(model, hidden=0.0)
    masking = masking_for(tokenizer, probability=MASKED, whole_words=False, vocab_size=VOCABULARY)

    def batches(step: int) -> Any:
        return masked_batch(blocks, step, batch_size=BATCH, seed=1, masking=masking, device=accelerator.device)

    return Training(MaskedWords(model), batches, accelerator)


def ours(*given: Any, steps: int) -> Run:
    memory = loop.Memory()
    ends = train_here(training(*given), steps=steps, memory=memory)
    return ends, [row["loss"] for row in memory.curve]


def trainer(name: str, blocks: np.ndarray, tokenizer: Any, *, steps: int, best: bool) -> Run:
    """With `best`, the flags and configuration overrides of the example that make it fastest."""
    fast = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0} if best else {}
    rows = [{"input_ids": torch.from_numpy(block.astype(np.int64))} for block in blocks[: steps * BATCH]]
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=MASKED)
    model = build(BertForMaskedLM, SHAPES[name], **fast)
    watch = train_by_trainer(model, rows, collator, steps=steps, batch_size=BATCH, best=best)
    return watch.ends, watch.losses


CONTENDERS: dict[str, Callable[..., Run]] = {
    "Trainer": lambda *given, steps: trainer(*given, steps=steps, best=False),
    "Trainer, best flags": lambda *given, steps: trainer(*given, steps=steps, best=True),
    OURS: ours,
}


def speeds(tokenizer: Any, *, rounds: int, steps: int) -> tuple[list[str], str]:
    """Lines of a table, and what share of the machine's peak is reached."""
    blocks = np.random.default_rng(1).integers(5, len(tokenizer), (steps * BATCH, LENGTH))

    def measure(run: Callable[..., Run], name: str) -> float:
        return speed(run(name, blocks, tokenizer, steps=steps)[0], tokens=BATCH * LENGTH)

    rows: list[str] = []
    reached: dict[str, float] = {}
    for name in SHAPES:
        found = rounds_of({who: partial(measure, run, name) for who, run in CONTENDERS.items()}, rounds=rounds)
        rows += lines(found, what=name)
        reached[name] = median_speed(found)
    trainings = {name: (lambda name=name: [training(name, blocks, tokenizer)]) for name in SHAPES}
    return rows, section(trainings, reached, steps=steps)


def curves_of(tokenizer: Any, *, steps: int) -> list[str]:
    """Mean losses over fifths of a training on real text, for each contender."""
    blocks = np.array(read_blocks(ROOT / "data/packed/train.npy")[: steps * BATCH])
    rows: list[str] = []
    for who, run in CONTENDERS.items():
        curve = run(SHOWN, blocks, tokenizer, steps=steps)[1]
        rows.append(f"| {who} | " + " | ".join(f"{np.mean(part):.3f}" for part in np.array_split(curve, 5)) + " |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--curve-steps", type=int, default=100)
    options = parser.parse_args()
    tokenizer = load_tokenizer(ROOT / "models/tokenizer")
    table, share = speeds(tokenizer, rounds=options.rounds, steps=options.steps)
    curves = "\n".join(curves_of(tokenizer, steps=options.curve_steps))
    found = describe(machine())
    packages = found["packages"]
    where = f"{found['threads']} threads, {found['processor']} ({found['instructions']})"
    command = f"--rounds {options.rounds} --steps {options.steps} --curve-steps {options.curve_steps}"
    text = f"""# How fast masked language modelling trains

`python -m benchmarks.pretraining {command}`:
{BATCH} x {LENGTH} tokens a step, a vocabulary of {VOCABULARY:,}, {where},
this project in {found["precision"]}, torch {packages["torch"]}, transformers {packages["transformers"]}.

| model | trained by | tokens/s, median | this project is faster by (smallest to largest of the rounds) |
|---|---|---|---|
{chr(10).join(table)}

`Trainer` is set up as the run_mlm example does; its best flags are bf16, the fused optimizer and no dropout (by
`--config_overrides`).

{share}
## The loss at equal tokens

{SHOWN}, {options.curve_steps} steps on the documentation corpus, learning rate {RATE:g}: the mean of each fifth.

| trained by | 1 | 2 | 3 | 4 | 5 |
|---|---|---|---|---|---|
{curves}
"""
    (ROOT / "benchmarks/pretraining.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
