"""Both phases of task distillation, here and by the loop of TinyBERT's authors with their own models."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
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


def phases(features: Features) -> Iterator[Training]:
    """One after the other, of one student; the teacher's logits for the second are taken in each step."""
    accelerator = machine()
    teacher, student = (as_loaded(build(HEAD, shape)) for shape in (TEACHER, STUDENT))
    teacher = rounded_once(teacher.eval(), accelerator)
    set_dropout(student, hidden=0.1)
    batches = batches_of(features)

    def shown(step: int) -> dict[str, Any]:
        one = batches(step)
        return one | {"teacher": show_rows(teacher, one, layers=LAYERS, autocast=accelerator.autocast)}

    def labelled(step: int) -> dict[str, Any]:
        one = batches(step)
        with torch.inference_mode(), accelerator.autocast():
            logits = teacher(**inputs(one)).logits
        return one | {"teacher_logits": logits.float().clone()}

    yield Training(TaskImitation(student, imitation(student, teacher)), shown, accelerator)
    objective = TaskPrediction(student, classification, hard=0.0, soft=1.0, temperature=1.0)
    yield Training(objective, labelled, accelerator)


def distil_here(features: Features, *, steps: int) -> tuple[Ends, Ends]:
    first, second = (train_here(phase, steps=steps) for phase in phases(features))
    return first, second


def distil_there(reference: Reference, features: Features, *, steps: int) -> tuple[Ends, Ends]:
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
    for loss_of, schedule in ((imitate, "none"), (agree, "warmup_linear")):
        optimizer = reference.optimizer(student, steps=steps, schedule=schedule)
        ends.append(train_there(partial(_step, loss_of, optimizer), steps=steps))
    return ends[0], ends[1]


def _step(loss_of: Callable[[int], Any], optimizer: Any, n: int) -> None:
    loss = loss_of(n)
    loss.backward()
    loss.item()
    optimizer.step()
    optimizer.zero_grad()
