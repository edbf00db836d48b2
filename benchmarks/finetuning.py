"""Tokens per second of fine-tuning and of task distillation on SST-2: beside transformers.Trainer as its run_glue
example sets it up, and beside the loops of TinyBERT's authors with their own models.

`python -m benchmarks.finetuning --reference FOLDER --data DATA --tokenizer CHECKPOINT` writes benchmarks/finetuning.md.
FOLDER is as in benchmarks.distillation, DATA a copy of SST-2 in the hub's layout, CHECKPOINT any uncased BERT: only its
tokenizer is used. Weights are random, teacher and student those of the paper. Tokens of padding do not count.
"""

import argparse
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.contest import (
    AUTHORS,
    OURS,
    SKIPPED,
    STUDENT,
    Ends,
    Training,
    as_loaded,
    build,
    lines,
    machine,
    median_speed,
    rounds_of,
    train_by_trainer,
    train_here,
)  # fmt: skip
from benchmarks.peak import section
from benchmarks.reference import Reference
from benchmarks.task_distillation import (
    BATCH,
    HEAD,
    LABELS,
    PADDED_BY_AUTHORS,
    Features,
    batches_of,
    distil_here,
    distil_there,
    padded,
)  # fmt: skip
from stages.model.checkpoint import set_dropout
from stages.tasks import classification
from stages.text.reading import open_split
from stages.text.tokenizer import load_tokenizer
from stages.training.machine import describe
from stages.training.prediction import predict
from stages.training.task_prediction import TaskPrediction
from tests.pipeline_runs.clone import ROOT

RUN_GLUE, BEST = "Trainer, as in run_glue", "Trainer, best flags"
PADDED_BY_TRAINER = 128
TUNING = "fine-tuning"


def training(features: Features) -> tuple[Training, Any]:
    """What is trained, and the student in it."""
    accelerator = machine()
    student = as_loaded(build(HEAD, STUDENT))
    set_dropout(student, hidden=0.1)
    objective = TaskPrediction(student, classification, hard=1.0, soft=0.0, temperature=1.0)
    return Training(objective, batches_of(features), accelerator), student


def finetune_here(features: Features, *, steps: int) -> tuple[Ends, Any]:
    made, student = training(features)
    return train_here(made, steps=steps), student


def finetune_by_trainer(features: Features, *, steps: int, best: bool) -> tuple[Ends, Any]:
    """Every text padded to max_seq_length, which is 128; with `best`, to the longest of its batch."""
    student = build(HEAD, STUDENT)
    rows: Any = features if best else [padded([one], PADDED_BY_TRAINER, first=True) for one in features]
    collator = partial(classification.collate, pad_token_id=0) if best else None
    watch = train_by_trainer(student, rows, collator, steps=steps, batch_size=BATCH, best=best)
    return watch.ends, student


def heldout_loss(student: Any, features: Features) -> float:
    """Cross-entropy to the gold labels, in float32."""
    accelerator = machine("float32")
    logits = predict(student, features, classification, pad_token_id=0, accelerator=accelerator)
    return float(cross_entropy(torch.tensor(np.stack(logits)), torch.tensor([one["label"] for one in features])))


def read(data: Path, split: str, tokenizer: Any, count: int) -> Features:
    found, _ = open_split(data, config=None, split=split)
    taken = islice(found, count)
    rows = [{"text": row["sentence"], "text_pair": None, "label": str(row["label"])} for row in taken]
    return classification.encode(rows, tokenizer=tokenizer, max_length=128, labels=LABELS)


def per_second(ends: Ends, tokens: np.ndarray) -> float:
    """Real tokens per second, where steps have `tokens` of them and not all the same number."""
    return float(tokens[SKIPPED:].sum() / (ends[-1] - ends[SKIPPED]))


def contests(reference: Reference, features: Features, *, steps: int) -> dict[str, dict[str, Callable[[], float]]]:
    """The contenders of each contest. Rows are the same; who pads to one length takes equally long for all of them."""
    batches = batches_of(features)
    own = np.array([int(batches(step)["tokens"]) for step in range(steps)])
    mean = np.full(steps, own.mean())

    def over_both(ends: tuple[Ends, Ends], tokens: np.ndarray) -> float:
        return 2 / sum(1 / per_second(one, tokens) for one in ends)

    return {
        TUNING: {
            RUN_GLUE: lambda: per_second(finetune_by_trainer(features, steps=steps, best=False)[0], mean),
            BEST: lambda: per_second(finetune_by_trainer(features, steps=steps, best=True)[0], mean),
            OURS: lambda: per_second(finetune_here(features, steps=steps)[0], own),
        },
        "task distillation": {
            AUTHORS: lambda: over_both(distil_there(reference, features, steps=steps), mean),
            OURS: lambda: over_both(distil_here(features, steps=steps), own),
        },
    }


def losses_of(train: Features, heldout: Features, *, steps: int) -> list[str]:
    found = {
        RUN_GLUE: finetune_by_trainer(train, steps=steps, best=False)[1],
        BEST: finetune_by_trainer(train, steps=steps, best=True)[1],
        OURS: finetune_here(train, steps=steps)[1],
    }
    return [f"| {who} | {heldout_loss(student, heldout):.3f} |" for who, student in found.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("reference", "data", "tokenizer"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--curve-steps", type=int, default=150)
    options = parser.parse_args()
    tokenizer = load_tokenizer(options.tokenizer)
    train = read(options.data, "train", tokenizer, options.curve_steps * BATCH)
    heldout = read(options.data, "validation", tokenizer, 10**6)
    reference, few = Reference(options.reference.resolve()), train[: options.steps * BATCH]
    table: list[str] = []
    reached: dict[str, float] = {}
    for what, contenders in contests(reference, few, steps=options.steps).items():
        found = rounds_of(contenders, rounds=options.rounds)
        table += lines(found, what=what)
        reached[what] = median_speed(found)
    share = section({TUNING: lambda: training(few)[0]}, reached, steps=options.steps)
    curves = losses_of(train, heldout, steps=options.curve_steps)
    where = describe(machine())
    packages = where["packages"]
    given = f"--rounds {options.rounds} --steps {options.steps} --curve-steps {options.curve_steps}"
    processor = f"{where['processor']} ({where['instructions']})"
    text = f"""# How fast fine-tuning runs

`python -m benchmarks.finetuning --reference FOLDER --data DATA --tokenizer CHECKPOINT {given}`:
SST-2, {BATCH} rows a step, a student of 4 layers, 312, a teacher of 12 layers, 768; {where["threads"]} threads,
{processor},
this project in {where["precision"]}, torch {packages["torch"]}, transformers {packages["transformers"]}.
Tokens of padding do not count.

| | trained by | tokens/s, median | this project is faster by (smallest to largest of the rounds) |
|---|---|---|---|
{chr(10).join(table)}

`Trainer` pads to {PADDED_BY_TRAINER} tokens as run_glue does; its best flags are bf16, the fused optimizer and batches
padded to their longest row. The authors' loop is padded to {PADDED_BY_AUTHORS}, the length that their script names for
this task, though it never reads that and pads to 128. Task distillation is both phases, as many steps of each. The
stage takes the teacher's logits once for all epochs of the second phase; here they are taken in each step.

{share}
## The loss at equal tokens

Cross-entropy on the validation split after {options.curve_steps} steps of fine-tuning on the same rows, dropout 0.1
(this project has none in the attention):

| trained by | validation loss |
|---|---|
{chr(10).join(curves)}
"""
    (ROOT / "benchmarks/finetuning.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
