"""Tokens per second of fine-tuning and of task distillation on SST-2: beside transformers.Trainer as its run_glue
example sets it up, and beside the loops of TinyBERT's authors with their own models.

`python -m benchmarks.finetuning --reference FOLDER --data DATA --tokenizer CHECKPOINT` writes benchmarks/finetuning.md.
FOLDER is as in benchmarks.distillation, DATA a copy of SST-2 in the hub's layout, CHECKPOINT any uncased BERT: only its
tokenizer is used. Weights are random, teacher and student those of the paper. Tokens of padding do not count.
"""

import argparse
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clones import ROOT
from benchmarks.machines import legend, table
from benchmarks.peak import section
from benchmarks.reference import Reference
from benchmarks.task_distillation import (
    BATCH,
    LABELS,
    PADDED_BY_AUTHORS,
    Features,
    batches_of,
    distil_ours,
    distil_theirs,
    heldout_intermediate_loss,
    trainings,
)  # fmt: skip
from benchmarks.task_finetuning import PADDED_BY_TRAINER, finetune_by_trainer, finetune_ours, heldout_loss, training
from benchmarks.throughput import AUTHORS, FASTER_BY, OURS, SKIPPED, Times, cells, measure_rounds, median_speed
from tinybert.data.datasets import open_split
from tinybert.data.tokenizer import load_tokenizer
from tinybert.tasks.classification import encoding

RUN_GLUE, BEST = "Trainer, as in run_glue", "Trainer, best flags"
EPOCHS = 3
"""Of each phase of task distillation: those of the first phase in `presets/local.yaml`."""
PAGE = "finetuning"
TUNING, DISTILLING = "fine-tuning", f"task distillation, {EPOCHS} epochs"


def read(data: Path, split: str, tokenizer: Any, count: int) -> Features:
    """The first `count` rows of a split, encoded."""
    rows, _ = open_split(data, config=None, split=split)
    texts = [{"text": row["sentence"], "text_pair": None, "label": str(row["label"])} for row in islice(rows, count)]
    return encoding.encode(texts, tokenizer=tokenizer.backend_tokenizer, max_length=128, labels=LABELS)


def per_second(times: Times, tokens: np.ndarray) -> float:
    """Real tokens per second of steps with `tokens` [steps] tokens."""
    return float(tokens[SKIPPED:].sum() / (times[-1] - times[SKIPPED]))


def comparisons(reference: Reference, features: Features, *, steps: int) -> dict[str, dict[str, Callable[[], float]]]:
    """The programs of each comparison, on the same rows; `steps` are an epoch, of which distillation has EPOCHS."""
    batches, all_steps = batches_of(features), steps * EPOCHS
    own = np.array([int(batches(step)["tokens"]) for step in range(steps)])

    def by_trainer(*, best: bool) -> float:
        times, _, tokens = finetune_by_trainer(features, steps=steps, best=best)
        return per_second(times, tokens)

    def over_phases(phases: list[Times]) -> float:
        """Of all steps: the first epoch, in which memory is allocated and the teacher computes, counts as it is."""
        return len(phases) * EPOCHS * float(own.sum()) / sum(times[-1] - times[0] for times in phases)

    return {
        TUNING: {
            RUN_GLUE: lambda: by_trainer(best=False),
            BEST: lambda: by_trainer(best=True),
            OURS: lambda: per_second(finetune_ours(features, steps=steps)[0], own),
        },
        DISTILLING: {
            AUTHORS: lambda: over_phases(distil_theirs(reference, features, steps=all_steps)[0]),
            OURS: lambda: over_phases(distil_ours(features, steps=all_steps)[0]),
        },
    }


def tuned(train: Features, heldout: Features, *, steps: int) -> dict[str, str]:
    """Cross-entropy of each program's student on held-out rows."""
    students = {
        RUN_GLUE: finetune_by_trainer(train, steps=steps, best=False)[1],
        BEST: finetune_by_trainer(train, steps=steps, best=True)[1],
        OURS: finetune_ours(train, steps=steps)[1],
    }
    return {name: f"{heldout_loss(student, heldout):.3f}" for name, student in students.items()}


def distilled(reference: Reference, train: Features, heldout: Features, *, steps: int) -> dict[str, str]:
    """Intermediate losses after half and all of the steps of the first phase."""
    programs = {
        AUTHORS: lambda count: distil_theirs(reference, train, steps=count, phases=1),
        OURS: lambda count: distil_ours(train, steps=count, phases=1),
    }
    rows: dict[str, str] = {}
    for name, run in programs.items():
        losses = [heldout_intermediate_loss(*run(count)[1:], heldout) for count in (steps // 2, steps)]
        rows[name] = ", ".join(f"{loss:.3f}" for loss in losses)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("reference", "data", "tokenizer"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name, count in {"rounds": 3, "steps": 12, "curve-steps": 150, "distil-steps": 40}.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    options = parser.parse_args()
    tokenizer = load_tokenizer(options.tokenizer)
    train = read(options.data, "train", tokenizer, options.curve_steps * BATCH)
    heldout = read(options.data, "validation", tokenizer, 10**6)
    reference, few = Reference(options.reference.resolve()), train[: options.steps * BATCH]
    by_program: dict[str, str] = {}
    reached: dict[str, float] = {}
    for name, programs in comparisons(reference, few, steps=options.steps).items():
        speeds = measure_rounds(programs, rounds=options.rounds)
        by_program |= cells(speeds, label=name)
        reached[name] = median_speed(speeds)
    phases = {
        TUNING: lambda: [training(few)[0]],
        DISTILLING: lambda: trainings(few, steps=options.steps * EPOCHS).phases,
    }
    share = section(PAGE, phases, reached, epochs={TUNING: 1, DISTILLING: EPOCHS}, steps=options.steps)
    text = page(
        options, speeds=by_program, share=share, tuned=tuned(train, heldout, steps=options.curve_steps),
        distilled=distilled(reference, train, heldout[: 4 * BATCH], steps=options.distil_steps),
    )  # fmt: skip
    (ROOT / "benchmarks/finetuning.md").write_text(text, encoding="utf-8")
    print(text)


def page(
    options: argparse.Namespace, *, speeds: dict[str, str], share: str, tuned: dict[str, str],
    distilled: dict[str, str],
) -> str:  # fmt: skip
    counts = {name.replace("_", "-"): count for name, count in vars(options).items() if type(count) is int}
    command = " ".join(f"--{name} {count}" for name, count in counts.items())
    by_speed = table(PAGE, speeds, head=" | trained by")
    by_loss, by_first_phase = (
        table(f"{PAGE}: {name}", losses, head="trained by")
        for name, losses in (("losses", tuned), ("losses of the first phase", distilled))
    )
    return f"""# How fast fine-tuning runs

`python -m benchmarks.finetuning --reference FOLDER --data DATA --tokenizer CHECKPOINT {command}`:
SST-2, {BATCH} rows a step, a student of 4 layers, 312, a teacher of 12 layers, 768. Tokens of padding do not count.
{FASTER_BY}

{by_speed}

{legend(PAGE)}

`Trainer` pads to {PADDED_BY_TRAINER} tokens as run_glue does; its best flags are bf16, the fused optimizer, and batches
of similar lengths, padded to the longest. The authors' loop is padded to {PADDED_BY_AUTHORS}, the length that their
script names for this task, though it never reads that and pads to 128. Task distillation is both phases, {EPOCHS}
epochs of each: the authors' teacher computes in every step, this project's once for a row and phase.

{share}
## The loss at equal tokens

Cross-entropy on the validation split after {options.curve_steps} steps of fine-tuning on the same rows, dropout 0.1
(this project has none in the attention):

{by_loss}

The sum of the embedding, hidden and attention losses of task distillation's first phase on {4 * BATCH} rows of that
split, over real tokens and computed alike for both, both students and their projections from random weights, after
{options.distil_steps // 2} and {options.distil_steps} steps:

{by_first_phase}

The authors' first phase keeps its learning rate to the end, where this project's rises and falls; and their optimizer's
first steps are longer (see general distillation).
"""


if __name__ == "__main__":
    main()
