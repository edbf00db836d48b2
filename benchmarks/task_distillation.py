"""Both phases of task distillation, by this project and by the loop of TinyBERT's authors with their own models."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import mse_loss, pad
from transformers import BertForSequenceClassification

from benchmarks.reference import Reference
from benchmarks.throughput import (
    LAYERS,
    STUDENT,
    TEACHER,
    Times,
    Training,
    build,
    intermediate_distillation,
    set_up_cpu,
    train_ours,
    train_theirs,
    with_attention,
)  # fmt: skip
from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.distillation.task import KeptBatches, TaskIntermediateDistillation, task_targets
from tinybert.distillation.teacher import cast_linear_weights_to_bf16
from tinybert.distillation.teaching import attach_logits
from tinybert.finetuning.fit import TaskBatches, TaskPrediction
from tinybert.finetuning.predict import predict
from tinybert.model.checkpoint import set_dropout
from tinybert.tasks.classification import model as classification
from tinybert.training.devices import spare_memory

BATCH, LABELS, PADDED_BY_AUTHORS = 32, ["0", "1"], 64
HEAD = BertForSequenceClassification
Features = list[dict[str, Any]]


def batches_of(features: Features, *, regroup: bool = True) -> TaskBatches:
    return TaskBatches(features, classification, batch_size=BATCH, seed=1, pad_token_id=0,
                       device=torch.device("cpu"), regroup=regroup)  # fmt: skip


def padded(features: Features, length: int) -> dict[str, torch.Tensor]:
    """Model inputs [B, length] and labels [B]."""
    batch = classification.collate(features, pad_token_id=0)
    extra = length - batch["input_ids"].shape[1]
    assert extra >= 0, f"a row has {-extra} tokens more than the {length} that rows are padded to"
    return {name: tensor if name == "labels" else pad(tensor, (0, extra)) for name, tensor in batch.items()}


class Phases(NamedTuple):
    phases: tuple[Training, Training]
    student: Any
    projections: nn.ModuleList


def trainings(features: Features, *, steps: int) -> Phases:
    """This project's phases, of one student, each with one pass of the teacher over the rows, as the stages have."""
    accelerator, features = set_up_cpu(), [{**feature} for feature in features]
    teacher, student = (with_attention(build(HEAD, shape)) for shape in (TEACHER, STUDENT))
    teacher = cast_linear_weights_to_bf16(teacher.eval(), accelerator)
    set_dropout(student, hidden=0.1)
    intermediate = intermediate_distillation(student, teacher)
    same_rows, regrouped = batches_of(features, regroup=False), batches_of(features)

    def with_states(step: int) -> dict[str, Any]:
        batch = same_rows(step)
        return batch | {"teacher": task_targets(teacher, batch, layers=LAYERS, autocast=accelerator.autocast)}

    def with_logits(step: int) -> dict[str, Any]:
        if "teacher_logits" not in features[0]:
            attach_logits(features, predict(teacher, features, classification, pad_token_id=0, accelerator=accelerator))
        return regrouped(step)

    kept = KeptBatches(with_states, group=same_rows.group, last_epoch=steps - same_rows.steps_in_epoch,
                       limit=partial(spare_memory, accelerator))  # fmt: skip
    first = Training(TaskIntermediateDistillation(student, intermediate), kept, accelerator)
    objective = TaskPrediction(student, classification, hard=0.0, soft=1.0, temperature=1.0)
    return Phases((first, Training(objective, with_logits, accelerator)), student, intermediate.projections)


def distil_ours(features: Features, *, steps: int, phases: int = 2) -> tuple[list[Times], Any, nn.ModuleList]:
    """Times of each of the first `phases`, the student, and the projections of its states."""
    program = trainings(features, steps=steps)
    return [train_ours(phase, steps=steps) for phase in program.phases[:phases]], program.student, program.projections


def distil_theirs(
    reference: Reference, features: Features, *, steps: int, phases: int = 2
) -> tuple[list[Times], Any, nn.ModuleList]:
    """As distil_ours; their one projection stands for each state's."""
    set_up_cpu()
    torch.use_deterministic_algorithms(False)
    teacher, student = (
        reference.model("TinyBertForSequenceClassification", model.config, model.state_dict(), num_labels=len(LABELS))
        for model in (build(HEAD, TEACHER), build(HEAD, STUDENT))
    )
    every, steps_in_epoch = TEACHER[0] // STUDENT[0], -(-len(features) // BATCH)

    def outputs(n: int) -> tuple[Any, Any]:
        place = n % steps_in_epoch
        batch = padded(features[place * BATCH : (place + 1) * BATCH], PADDED_BY_AUTHORS)
        inputs = batch["input_ids"], batch["token_type_ids"], batch["attention_mask"]
        student_outputs = student(*inputs, is_student=True)
        with torch.no_grad():
            return student_outputs, teacher(*inputs)

    def intermediate_loss(n: int) -> Any:
        (_, student_scores, student_states), (_, teacher_scores, teacher_states) = outputs(n)
        scores = zip(student_scores, teacher_scores[every - 1 :: every], strict=True)
        unmasked = [(torch.where(a <= -1e2, 0.0, a), torch.where(b <= -1e2, 0.0, b)) for a, b in scores]
        return sum(mse_loss(*pair) for pair in [*unmasked, *zip(student_states, teacher_states[::every], strict=True)])

    def prediction_loss(n: int) -> Any:
        (student_logits, _, _), (teacher_logits, _, _) = outputs(n)
        return soft_cross_entropy(student_logits, teacher_logits, temperature=1.0)

    times: list[Times] = []
    for loss_of, schedule in ((intermediate_loss, "none"), (prediction_loss, "warmup_linear"))[:phases]:
        optimizer = reference.optimizer(student, steps=steps, schedule=schedule)
        times.append(train_theirs(partial(_step, loss_of, optimizer), steps=steps))
    plain = build(HEAD, STUDENT)
    plain.load_state_dict({name: w for name, w in student.state_dict().items() if not name.startswith("fit_dense")})
    return times, plain, nn.ModuleList([student.fit_dense] * (STUDENT[0] + 1))


def _step(loss_of: Callable[[int], Any], optimizer: Any, n: int) -> None:
    loss = loss_of(n)
    loss.backward()
    loss.item()
    optimizer.step()
    optimizer.zero_grad()


def heldout_intermediate_loss(student: Any, projections: nn.ModuleList, features: Features) -> float:
    """The sum of the first phase's losses, a mean over batches in float32, computed alike for both programs."""
    accelerator = set_up_cpu("float32")
    teacher = with_attention(build(HEAD, TEACHER)).eval()
    weights = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0}
    intermediate = IntermediateDistillation(
        projections, student.config, teacher.config, teacher_layers=LAYERS, weights=weights
    )
    objective, batches = TaskIntermediateDistillation(with_attention(student), intermediate), batches_of(features)
    objective.eval()
    sums: list[float] = []
    for batch in map(batches, range(batches.steps_in_epoch)):
        targets = task_targets(teacher, batch, layers=LAYERS, autocast=accelerator.autocast)
        with torch.inference_mode():
            sums.append(float(sum(objective(batch | {"teacher": targets}).values())))
    return sum(sums) / len(sums)
