"""Tokens per second of general distillation, beside the loop of TinyBERT's authors with their own models.

`python -m benchmarks.distillation --reference FOLDER` writes benchmarks/distillation.md; FOLDER is the folder TinyBERT
of a copy of huawei-noah/Pretrained-Language-Model. Teacher and student are those of the paper (12 layers of 768 into 4
of 312), with random weights, the same ones for both contenders; blocks are random tokens without padding.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss
from transformers import BertForPreTraining

from benchmarks.contest import (
    AUTHORS,
    LAYERS,
    OURS,
    RATE,
    STUDENT,
    TEACHER,
    VOCABULARY,
    Ends,
    Training,
    as_loaded,
    build,
    imitation,
    lines,
    machine,
    median_speed,
    rounds_of,
    speed,
    train_here,
    train_there,
)  # fmt: skip
from benchmarks.peak import section
from benchmarks.reference import Reference
from stages.model.checkpoint import set_dropout
from stages.model.states import attention_scores, capture
from stages.training.blocks import Masking, masked_batch
from stages.training.distillation import GeneralDistillation
from stages.training.machine import describe
from stages.training.teaching import rounded_once, show_blocks
from tests.pipeline_runs.clone import ROOT

LENGTH, BATCH = 128, 8
NAME, FASTER = "4 layers, 312", 5.0
HASTY = f"{OURS}, {FASTER:g} times the learning rate"


def training(blocks: np.ndarray) -> tuple[Training, Any, nn.Module]:
    """What is trained, the student in it, and the projections of its states."""
    accelerator = machine()
    teacher, student = (as_loaded(build(BertForPreTraining, shape)) for shape in (TEACHER, STUDENT))
    rounded = rounded_once(teacher.eval(), accelerator)
    set_dropout(student, hidden=0.0)
    states = imitation(student, teacher)
    masking = Masking(0.0, False, torch.zeros(VOCABULARY, dtype=torch.bool), range(5), 2, 4)

    def batch(step: int) -> dict[str, Any]:
        made = masked_batch(blocks, step, batch_size=BATCH, seed=1, masking=masking, device=accelerator.device)
        return made | show_blocks(rounded, made, layers=LAYERS, predictions=False, autocast=accelerator.autocast)

    objective = GeneralDistillation(student, states, prediction=0.0, temperature=1.0)
    return Training(objective, batch, accelerator), student, states.projections


def ours(blocks: np.ndarray, *, steps: int, rate: float = RATE) -> tuple[Ends, nn.Module, nn.Module]:
    """Times, the student's encoder, and the projections of its states."""
    made, student, maps = training(blocks)
    ends = train_here(made, steps=steps, rate=rate)
    return ends, student.bert.eval(), maps


def theirs(reference: Reference, blocks: np.ndarray, *, steps: int) -> tuple[Ends, Any]:
    """As in their script, the teacher has dropout on and builds a graph, of which its states are cut off."""
    machine()
    torch.use_deterministic_algorithms(False)
    configs = build(BertForPreTraining, TEACHER), build(BertForPreTraining, STUDENT)
    teacher = reference.model("BertModel", configs[0].config, configs[0].bert.state_dict())
    weights = {f"bert.{name}": weight for name, weight in configs[1].bert.state_dict().items()}
    student = reference.model("TinyBertForPreTraining", configs[1].config, weights)
    optimizer = reference.optimizer(student, steps=steps)
    every = TEACHER[0] // STUDENT[0]

    def step(n: int) -> None:
        ids = torch.from_numpy(blocks[n * BATCH : (n + 1) * BATCH].astype(np.int64))
        kinds, mask = torch.zeros_like(ids), torch.ones_like(ids)
        scores, states = student(ids, kinds, mask)
        shown, seen, _ = teacher(ids, kinds, mask)
        attention = sum(
            mse_loss(one, other.detach()) for one, other in zip(scores, seen[every - 1 :: every], strict=True)
        )
        hidden = sum(mse_loss(one, other.detach()) for one, other in zip(states, shown[::every], strict=True))
        loss: Any = attention + hidden
        loss.backward()
        loss.item()
        optimizer.step()
        optimizer.zero_grad()

    return train_there(step, steps=steps), student.eval()


@torch.inference_mode()
def losses(bert: Any, maps: Any, blocks: np.ndarray) -> float:
    """The sum of all losses of a student on blocks that it has not seen, computed alike for everyone."""
    teacher, ids = build(BertForPreTraining, TEACHER).bert.eval(), torch.from_numpy(blocks.astype(np.int64))
    with capture(teacher, LAYERS) as wanted:
        teacher(input_ids=ids)
    with capture(bert, range(STUDENT[0])) as found:
        bert(input_ids=ids)
    total = mse_loss(maps[0](found.hidden[-1]), wanted.hidden[-1])
    for s, t in enumerate(LAYERS):
        total += mse_loss(maps[s + 1](found.hidden[s]), wanted.hidden[t])
        pair = [attention_scores(one.query[n], one.key[n], heads=TEACHER[2]) for one, n in ((found, s), (wanted, t))]
        total += mse_loss(pair[0], pair[1])
    return float(total)


def falling(reference: Reference, blocks: np.ndarray, heldout: np.ndarray, *, steps: int) -> list[str]:
    """Losses on `heldout` after half and all of the steps."""
    rows: dict[str, list[float]] = {OURS: [], HASTY: [], AUTHORS: []}
    for count in (steps // 2, steps):
        for who, rate in ((OURS, RATE), (HASTY, FASTER * RATE)):
            _, bert, maps = ours(blocks, steps=count, rate=rate)
            rows[who].append(losses(bert, maps, heldout))
        student = theirs(reference, blocks, steps=count)[1]
        plain = build(BertForPreTraining, STUDENT).bert.eval()
        plain.load_state_dict({name.removeprefix("bert."): w for name, w in student.state_dict().items()
                               if name.startswith("bert.")})  # fmt: skip
        rows[AUTHORS].append(losses(plain, [student.fit_dense] * (STUDENT[0] + 1), heldout))
    return [f"| {who} | " + " | ".join(f"{value:.3f}" for value in values) + " |" for who, values in rows.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--curve-steps", type=int, default=40)
    options = parser.parse_args()
    reference = Reference(options.reference.resolve())
    blocks = np.random.default_rng(1).integers(5, VOCABULARY, (options.curve_steps * BATCH + 16, LENGTH))
    contenders = {
        AUTHORS: partial(theirs, reference, blocks, steps=options.steps),
        OURS: partial(ours, blocks, steps=options.steps),
    }
    measured = {who: (lambda run=run: speed(run()[0], tokens=BATCH * LENGTH)) for who, run in contenders.items()}
    speeds = rounds_of(measured, rounds=options.rounds)
    table = lines(speeds, what=NAME)
    share = section({NAME: lambda: [training(blocks)[0]]}, {NAME: median_speed(speeds)}, steps=options.steps)
    curves = falling(reference, blocks[16:], blocks[:16], steps=options.curve_steps)
    found = describe(machine())
    command = f"--rounds {options.rounds} --steps {options.steps} --curve-steps {options.curve_steps}"
    processor = f"{found['processor']} ({found['instructions']})"
    text = f"""# How fast general distillation runs

`python -m benchmarks.distillation --reference FOLDER {command}`:
{BATCH} x {LENGTH} tokens a step, a teacher of 12 layers, 768, {found["threads"]} threads, {processor},
this project in {found["precision"]}, torch {found["packages"]["torch"]}.

| student | trained by | tokens/s, median | this project is faster by (smallest to largest of the rounds) |
|---|---|---|---|
{chr(10).join(table)}

{share}
## The loss at equal tokens

The sum of the embedding, hidden and attention losses on 16 blocks that nobody has seen, computed alike for both, after
equal steps of the same learning rate, both students from the same weights. The recipes are each one's own: the authors
have one projection, dropout in student and teacher, and clip each tensor by itself; this project has a projection for
each state and no dropout. Projections start at random: this student was not cut out of its teacher. Their optimizer
does not correct Adam's averages for having begun at 0, so that its first steps are three to six times as long.

| trained by | {options.curve_steps // 2} steps | {options.curve_steps} steps |
|---|---|---|
{chr(10).join(curves)}
"""
    (ROOT / "benchmarks/distillation.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
