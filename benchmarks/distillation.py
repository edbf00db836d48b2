"""Tokens per second of general distillation, beside the loop of TinyBERT's authors with their own models.

`python -m benchmarks.distillation --reference FOLDER` writes benchmarks/distillation.md; FOLDER is the folder TinyBERT
of a copy of huawei-noah/Pretrained-Language-Model. Teacher and student are those of the paper (12 layers of 768 into 4
of 312), with the same random weights for both programs; blocks are random tokens without padding.
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

from benchmarks.clones import ROOT
from benchmarks.machines import legend, table
from benchmarks.peak import section
from benchmarks.reference import Reference
from benchmarks.throughput import (
    AUTHORS,
    FASTER_BY,
    LAYERS,
    LEARNING_RATE,
    OURS,
    STUDENT,
    TEACHER,
    VOCAB_SIZE,
    Times,
    Training,
    build,
    cells,
    intermediate_distillation,
    measure_rounds,
    median_speed,
    set_up_cpu,
    speed,
    train_ours,
    train_theirs,
    with_attention,
)  # fmt: skip
from tinybert.distillation.general import GeneralDistillation, corpus_targets
from tinybert.distillation.losses import attention_loss
from tinybert.distillation.teacher import capture, cast_linear_weights_to_bf16
from tinybert.model.checkpoint import set_dropout
from tinybert.pretraining.masking import Masking, masked_batch

LENGTH, BATCH = 128, 8
PAGE, LOSSES = "distillation", "distillation: losses"
NAME, FASTER = "4 layers, 312", 5.0
OURS_FASTER = f"{OURS}, {FASTER:g} times the learning rate"


def training(blocks: np.ndarray) -> tuple[Training, Any, nn.Module]:
    """This project's training, its student, and the projections of the student's states."""
    accelerator = set_up_cpu()
    teacher, student = (with_attention(build(BertForPreTraining, shape)) for shape in (TEACHER, STUDENT))
    teacher = cast_linear_weights_to_bf16(teacher.eval(), accelerator)
    set_dropout(student, hidden=0.0)
    intermediate = intermediate_distillation(student, teacher)
    masking = Masking(0.0, False, torch.zeros(VOCAB_SIZE, dtype=torch.bool), range(5), 2, 4)

    def batches(step: int) -> dict[str, Any]:
        batch = masked_batch(blocks, step, batch_size=BATCH, seed=1, masking=masking, device=accelerator.device)
        return batch | corpus_targets(teacher, batch, layers=LAYERS, predictions=False, autocast=accelerator.autocast)

    objective = GeneralDistillation(student, intermediate, prediction=0.0, temperature=1.0)
    return Training(objective, batches, accelerator), student, intermediate.projections


def distil_ours(
    blocks: np.ndarray, *, steps: int, learning_rate: float = LEARNING_RATE
) -> tuple[Times, nn.Module, nn.Module]:
    """Times, the student's encoder, and the projections of its states."""
    program, student, projections = training(blocks)
    times = train_ours(program, steps=steps, learning_rate=learning_rate)
    return times, student.bert.eval(), projections


def distil_theirs(reference: Reference, blocks: np.ndarray, *, steps: int) -> tuple[Times, Any]:
    """As in their script: the teacher has dropout on and builds a graph, from which its states are detached."""
    set_up_cpu()
    torch.use_deterministic_algorithms(False)
    models = build(BertForPreTraining, TEACHER), build(BertForPreTraining, STUDENT)
    teacher = reference.model("BertModel", models[0].config, models[0].bert.state_dict())
    weights = {f"bert.{name}": weight for name, weight in models[1].bert.state_dict().items()}
    student = reference.model("TinyBertForPreTraining", models[1].config, weights)
    optimizer = reference.optimizer(student, steps=steps)
    every = TEACHER[0] // STUDENT[0]

    def step(n: int) -> None:
        ids = torch.from_numpy(blocks[n * BATCH : (n + 1) * BATCH].astype(np.int64))
        token_types, mask = torch.zeros_like(ids), torch.ones_like(ids)
        student_scores, student_states = student(ids, token_types, mask)
        teacher_states, teacher_scores, _ = teacher(ids, token_types, mask)
        scores = zip(student_scores, teacher_scores[every - 1 :: every], strict=True)
        states = zip(student_states, teacher_states[::every], strict=True)
        loss: Any = sum(mse_loss(ours, target.detach()) for ours, target in scores)
        loss = loss + sum(mse_loss(ours, target.detach()) for ours, target in states)
        loss.backward()
        loss.item()
        optimizer.step()
        optimizer.zero_grad()

    return train_theirs(step, steps=steps), student.eval()


@torch.inference_mode()
def heldout_loss(bert: Any, projections: Any, blocks: np.ndarray) -> float:
    """The sum of all losses of a student on held-out blocks, computed alike for both programs."""
    teacher, ids = build(BertForPreTraining, TEACHER).bert.eval(), torch.from_numpy(blocks.astype(np.int64))
    with capture(teacher, LAYERS) as targets:
        teacher(input_ids=ids)
    with capture(bert, range(STUDENT[0])) as states:
        bert(input_ids=ids)
    everything = torch.ones(len(ids), 1, *ids.shape[1:], ids.shape[1], dtype=torch.bool)
    total = mse_loss(projections[0](states.hidden[-1]), targets.hidden[-1])
    for s, t in enumerate(LAYERS):
        total += mse_loss(projections[s + 1](states.hidden[s]), targets.hidden[t])
        total += attention_loss(
            states.query[s], states.key[s], targets.query[t], targets.key[t], everything, heads=TEACHER[2]
        )
    return float(total)


def losses_of(reference: Reference, blocks: np.ndarray, heldout: np.ndarray, *, steps: int) -> dict[str, str]:
    """Losses on `heldout` after half and all of the steps."""
    losses: dict[str, list[float]] = {OURS: [], OURS_FASTER: [], AUTHORS: []}
    for count in (steps // 2, steps):
        for name, rate in ((OURS, LEARNING_RATE), (OURS_FASTER, FASTER * LEARNING_RATE)):
            _, bert, projections = distil_ours(blocks, steps=count, learning_rate=rate)
            losses[name].append(heldout_loss(bert, projections, heldout))
        student = distil_theirs(reference, blocks, steps=count)[1]
        bert = build(BertForPreTraining, STUDENT).bert.eval()
        bert.load_state_dict({name.removeprefix("bert."): weight for name, weight in student.state_dict().items()
                              if name.startswith("bert.")})  # fmt: skip
        losses[AUTHORS].append(heldout_loss(bert, [student.fit_dense] * (STUDENT[0] + 1), heldout))
    return {name: ", ".join(f"{value:.3f}" for value in values) for name, values in losses.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--curve-steps", type=int, default=40)
    options = parser.parse_args()
    reference = Reference(options.reference.resolve())
    blocks = np.random.default_rng(1).integers(5, VOCAB_SIZE, (options.curve_steps * BATCH + 16, LENGTH))
    programs = {
        AUTHORS: partial(distil_theirs, reference, blocks, steps=options.steps),
        OURS: partial(distil_ours, blocks, steps=options.steps),
    }
    timed = {name: (lambda run=run: speed(run()[0], tokens=BATCH * LENGTH)) for name, run in programs.items()}
    speeds = measure_rounds(timed, rounds=options.rounds)
    share = section(PAGE, {NAME: lambda: [training(blocks)[0]]}, {NAME: median_speed(speeds)}, steps=options.steps)
    losses = losses_of(reference, blocks[16:], blocks[:16], steps=options.curve_steps)
    text = page(options, speeds=cells(speeds, label=NAME), share=share, losses=losses)
    (ROOT / "benchmarks/distillation.md").write_text(text, encoding="utf-8")
    print(text)


def page(options: argparse.Namespace, *, speeds: dict[str, str], share: str, losses: dict[str, str]) -> str:
    command = f"--rounds {options.rounds} --steps {options.steps} --curve-steps {options.curve_steps}"
    by_speed = table(PAGE, speeds, head="student | trained by")
    by_loss = table(LOSSES, losses, head="trained by")
    return f"""# How fast general distillation runs

`python -m benchmarks.distillation --reference FOLDER {command}`:
{BATCH} x {LENGTH} tokens a step, a teacher of 12 layers, 768. {FASTER_BY}

{by_speed}

{legend(PAGE)}

{share}
## The loss at equal tokens

The sum of the embedding, hidden and attention losses on 16 held-out blocks, computed alike for both, after
{options.curve_steps // 2} and {options.curve_steps} steps of the same learning rate, both students from the same
weights. The recipes are each program's own: the authors have one projection, dropout in student and teacher, and clip
each tensor by itself; this project has a projection for each state and no dropout. Projections start at random: this
student was not cut out of its teacher. Their optimizer does not correct Adam's averages for starting at 0, so that its
first steps are three to six times as long.

{by_loss}
"""


if __name__ == "__main__":
    main()
