"""Both phases of task distillation, here and by the loop of TinyBERT's authors with their own models."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import mse_loss
from transformers import BertForSequenceClassification as HEAD

from benchmarks.contest import (
    LAYERS,
    STUDENT,
    TEACHER,
    Ends,
    Training,
    as_loaded,
    build,
    imitation,
    machine,
    train_here,
    train_there,
)  # fmt: skip
from benchmarks.reference import Reference
from stages.model.checkpoint import set_dropout
from stages.tasks import classification
from stages.tasks.soft_targets import soft_cross_entropy
from stages.training.imitation import Imitation
from stages.training.task_batches import TaskBatches
from stages.training.task_imitation import TaskImitation, show_rows
from stages.training.task_prediction import TaskPrediction, inputs
from stages.training.teaching import rounded_once

BATCH, LABELS, PADDED_BY_AUTHORS = 32, ["0", "1"], 64
Features = list[dict[str, Any]]


def batches_of(features: Features) -> TaskBatches:
    device = torch.device("cpu")
    return TaskBatches(features, classification, batch_size=BATCH, seed=1, pad_token_id=0, device=device)


def padded(features: Features, length: int, *, first: bool = False) -> dict[str, torch.Tensor]:
    """Model inputs [B, length] and labels [B] of some features; of the `first` only, [length] and a scalar."""
    batch = classification.collate(features, pad_token_id=0)
    extra = length - batch["input_ids"].shape[1]
    assert extra >= 0, "a row is longer than what rows are padded to"
    wide = {name: torch.nn.functional.pad(batch[name], (0, extra)) for name in batch if name != "labels"}
    return {name: tensor[0] if first else tensor for name, tensor in (wide | {"labels": batch["labels"]}).items()}


class Here(NamedTuple):
    phases: tuple[Training, Training]
    student: Any
    projections: nn.ModuleList


def here(features: Features) -> Here:
    """Both phases, one after the other, of one student; the teacher's logits for the second are taken in each step."""
    accelerator = machine()
    teacher, student = (as_loaded(build(HEAD, shape)) for shape in (TEACHER, STUDENT))
    teacher = rounded_once(teacher.eval(), accelerator)
    set_dropout(student, hidden=0.1)
    batches, inner = batches_of(features), imitation(student, teacher)

    def shown(step: int) -> dict[str, Any]:
        one = batches(step)
        return one | {"teacher": show_rows(teacher, one, layers=LAYERS, autocast=accelerator.autocast)}

    def labelled(step: int) -> dict[str, Any]:
        one = batches(step)
        with torch.inference_mode(), accelerator.autocast():
            logits = teacher(**inputs(one)).logits
        return one | {"teacher_logits": logits.float().clone()}

    first = Training(TaskImitation(student, inner), shown, accelerator)
    objective = TaskPrediction(student, classification, hard=0.0, soft=1.0, temperature=1.0)
    return Here((first, Training(objective, labelled, accelerator)), student, inner.projections)


def distil_here(features: Features, *, steps: int, phases: int = 2) -> tuple[list[Ends], Any, nn.ModuleList]:
    """Times of each of the first `phases`, the student, and the projections of its states."""
    made = here(features)
    return [train_here(phase, steps=steps) for phase in made.phases[:phases]], made.student, made.projections


def distil_there(
    reference: Reference, features: Features, *, steps: int, phases: int = 2
) -> tuple[list[Ends], Any, nn.ModuleList]:
    """As distil_here; their one projection stands for each state's."""
    machine()
    torch.use_deterministic_algorithms(False)
    models = build(HEAD, TEACHER), build(HEAD, STUDENT)
    teacher, student = (
        reference.model("TinyBertForSequenceClassification", model.config, model.state_dict(), num_labels=len(LABELS))
        for model in models
    )
    every = TEACHER[0] // STUDENT[0]

    def both(n: int) -> tuple[Any, Any]:
        batch = padded(features[n * BATCH : (n + 1) * BATCH], PADDED_BY_AUTHORS)
        inputs = batch["input_ids"], batch["token_type_ids"], batch["attention_mask"]
        found = student(*inputs, is_student=True)
        with torch.no_grad():
            return found, teacher(*inputs)

    def imitate(n: int) -> Any:
        (_, scores, states), (_, seen, shown) = both(n)
        pairs = [*zip(scores, seen[every - 1 :: every], strict=True)]
        clear = [(torch.where(a <= -1e2, 0.0, a), torch.where(b <= -1e2, 0.0, b)) for a, b in pairs]
        return sum(mse_loss(*pair) for pair in [*clear, *zip(states, shown[::every], strict=True)])

    def agree(n: int) -> Any:
        (logits, _, _), (wanted, _, _) = both(n)
        return soft_cross_entropy(logits, wanted, temperature=1.0)

    ends: list[Ends] = []
    for loss_of, schedule in ((imitate, "none"), (agree, "warmup_linear"))[:phases]:
        optimizer = reference.optimizer(student, steps=steps, schedule=schedule)
        ends.append(train_there(partial(_step, loss_of, optimizer), steps=steps))
    plain = build(HEAD, STUDENT)
    plain.load_state_dict({name: w for name, w in student.state_dict().items() if not name.startswith("fit_dense")})
    return ends, plain, nn.ModuleList([student.fit_dense] * (STUDENT[0] + 1))


def _step(loss_of: Callable[[int], Any], optimizer: Any, n: int) -> None:
    loss = loss_of(n)
    loss.backward()
    loss.item()
    optimizer.step()
    optimizer.zero_grad()


def inner_losses(student: Any, projections: nn.ModuleList, features: Features) -> float:
    """The sum of the first phase's losses, a mean over batches in float32, computed alike for everyone."""
    accelerator = machine("float32")
    teacher = as_loaded(build(HEAD, TEACHER)).eval()
    weights = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0}
    inner = Imitation(projections, student.config, teacher.config, teacher_layers=LAYERS, weights=weights)
    objective, batches = TaskImitation(as_loaded(student), inner).eval(), batches_of(features)
    sums: list[float] = []
    for batch in map(batches, range(batches.steps_in_epoch)):
        shown = show_rows(teacher, batch, layers=LAYERS, autocast=accelerator.autocast)
        with torch.inference_mode():
            sums.append(float(sum(objective(batch | {"teacher": shown}).values())))
    return sum(sums) / len(sums)
