"""Tokens per second of masked language modelling, beside transformers.Trainer as its run_mlm example sets it up.

`python -m benchmarks.pretraining --rounds 3 --steps 8` writes benchmarks/pretraining.md. The programs train in turn, on
the same blocks of random token ids; no block has padding, so that every token counts. After that each trains on the
same blocks of the documentation corpus (data/packed, which `dvc repro pack` makes) to show that the loss falls alike.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import BertForMaskedLM, BertForPreTraining, BertTokenizer, DataCollatorForLanguageModeling

from benchmarks.clones import ROOT
from benchmarks.machines import legend, table
from benchmarks.peak import section
from benchmarks.throughput import (
    FASTER_BY,
    LEARNING_RATE,
    OURS,
    VOCAB_SIZE,
    Times,
    Training,
    build,
    cells,
    measure_rounds,
    median_speed,
    set_up_cpu,
    speed,
    train_by_trainer,
    train_ours,
    with_attention,
)  # fmt: skip
from tinybert.data.tokenizer import load_tokenizer
from tinybert.model.checkpoint import set_dropout
from tinybert.pretraining.masking import masked_batch, masking_for
from tinybert.pretraining.mlm import MaskedLanguageModeling
from tinybert.training.loop import TrainState

LENGTH, BATCH, MASKED = 128, 8, 0.15
SHAPES = {"2 layers, 128": (2, 128, 2, 512), "4 layers, 312": (4, 312, 12, 1200), "6 layers, 384": (6, 384, 12, 1536)}
CURVE_SHAPE = "4 layers, 312"
PAGE, LOSSES = "pretraining", "pretraining: losses"
Run = tuple[Times, list[float]]
"""Times, and the losses of steps."""
Program = Callable[..., Run]
"""Trains the shape of this name on blocks [N, L]: (name, blocks, tokenizer, *, steps)."""


def training(name: str, blocks: np.ndarray, tokenizer: BertTokenizer) -> Training:
    accelerator = set_up_cpu()
    model = with_attention(build(BertForPreTraining, SHAPES[name]))
    set_dropout(model, hidden=0.0)
    masking = masking_for(tokenizer, probability=MASKED, whole_words=False, vocab_size=VOCAB_SIZE)

    def batches(step: int) -> Any:
        return masked_batch(blocks, step, batch_size=BATCH, seed=1, masking=masking, device=accelerator.device)

    return Training(MaskedLanguageModeling(model), batches, accelerator)


def by_this_project(name: str, blocks: np.ndarray, tokenizer: BertTokenizer, *, steps: int) -> Run:
    state = TrainState()
    times = train_ours(training(name, blocks, tokenizer), steps=steps, state=state)
    return times, [row["loss"] for row in state.curve]


def by_trainer(name: str, blocks: np.ndarray, tokenizer: BertTokenizer, *, steps: int, best: bool) -> Run:
    """With `best`, the flags and configuration overrides of the example that make it fastest."""
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0} if best else {}
    rows = [{"input_ids": torch.from_numpy(block.astype(np.int64))} for block in blocks[: steps * BATCH]]
    collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=MASKED)
    model = build(BertForMaskedLM, SHAPES[name], **dropout)
    recorded = train_by_trainer(model, rows, collator, steps=steps, batch_size=BATCH, best=best)
    return recorded.times, recorded.losses


PROGRAMS: dict[str, Program] = {
    "Trainer": partial(by_trainer, best=False),
    "Trainer, best flags": partial(by_trainer, best=True),
    OURS: by_this_project,
}


def speeds(tokenizer: BertTokenizer, *, rounds: int, steps: int) -> tuple[dict[str, str], str]:
    """The cells of the table of speeds, and the section on the share of the machine's peak."""
    blocks = np.random.default_rng(1).integers(5, len(tokenizer), (steps * BATCH, LENGTH))

    def measure(run: Program, name: str) -> float:
        return speed(run(name, blocks, tokenizer, steps=steps)[0], tokens=BATCH * LENGTH)

    rows: dict[str, str] = {}
    reached: dict[str, float] = {}
    for name in SHAPES:
        programs = {program: partial(measure, run, name) for program, run in PROGRAMS.items()}
        measured = measure_rounds(programs, rounds=rounds)
        rows |= cells(measured, label=name)
        reached[name] = median_speed(measured)
    trainings = {name: (lambda name=name: [training(name, blocks, tokenizer)]) for name in SHAPES}
    return rows, section(PAGE, trainings, reached, steps=steps)


def losses(tokenizer: BertTokenizer, *, steps: int) -> dict[str, str]:
    """Mean losses over fifths of a training on real text, for each program."""
    blocks = np.array(np.load(ROOT / "data/packed/train.npy", mmap_mode="r")[: steps * BATCH])
    rows: dict[str, str] = {}
    for name, run in PROGRAMS.items():
        by_step = run(CURVE_SHAPE, blocks, tokenizer, steps=steps)[1]
        rows[name] = ", ".join(f"{np.mean(part):.3f}" for part in np.array_split(by_step, 5))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--curve-steps", type=int, default=100)
    options = parser.parse_args()
    tokenizer = load_tokenizer(ROOT / "models/tokenizer")
    by_program, share = speeds(tokenizer, rounds=options.rounds, steps=options.steps)
    text = page(options, speeds=by_program, share=share, losses=losses(tokenizer, steps=options.curve_steps))
    (ROOT / "benchmarks/pretraining.md").write_text(text, encoding="utf-8")
    print(text)


def page(options: argparse.Namespace, *, speeds: dict[str, str], share: str, losses: dict[str, str]) -> str:
    command = f"--rounds {options.rounds} --steps {options.steps} --curve-steps {options.curve_steps}"
    by_speed = table(PAGE, speeds, head="model | trained by")
    by_loss = table(LOSSES, losses, head="trained by")
    return f"""# How fast masked language modelling trains

`python -m benchmarks.pretraining {command}`:
{BATCH} x {LENGTH} tokens a step, a vocabulary of {VOCAB_SIZE:,}. {FASTER_BY}

{by_speed}

{legend(PAGE)}

`Trainer` is set up as the run_mlm example does; its best flags are bf16, the fused optimizer and no dropout (by
`--config_overrides`).

{share}
## The loss at equal tokens

{CURVE_SHAPE}, {options.curve_steps} steps on the documentation corpus, learning rate {LEARNING_RATE:g}: the mean of
each fifth.

{by_loss}
"""


if __name__ == "__main__":
    main()
