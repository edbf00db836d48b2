"""Fine-tune the student for one task, taught by the fine-tuned teacher: inner states first, then predictions.

In: models/student, models/tasks/T/teacher, data/tasks/T.
Out: models/tasks/T/student, reports/tasks/T/{intermediate_curve.tsv,student_curve.tsv,student_machine.json}.
"""

from pathlib import Path
from typing import Any

from transformers import BertConfig

from stages.model import projections
from stages.model.checkpoint import save, set_dropout
from stages.model.layers import choose_layers
from stages.parameters.compute import Compute
from stages.parameters.section import Section
from stages.parameters.task import FinetuneStudent, Scored
from stages.pipeline.outputs import whole, whole_folder
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_curve, write_json
from stages.text.tokenizer import load_tokenizer, save_tokenizer, special_id
from stages.training.finetuning import fit
from stages.training.imitation import Imitation
from stages.training.loop import Memory, train
from stages.training.machine import describe, set_up
from stages.training.scoring import Scorer
from stages.training.sharing import share_of
from stages.training.task_batches import TaskBatches
from stages.training.task_imitation import TaskImitation, show_rows
from stages.training.task_prediction import TaskPrediction
from stages.training.teaching import rounded_once

STUDENT = Path("models/student")


class Task(Scored):
    student: FinetuneStudent


class Parameters(Section):
    compute: Compute
    task: Task


def main(p: Parameters, run: Run) -> None:
    task, options, data = p.task, p.task.student, Path("data/tasks") / run.key
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer = load_tokenizer(STUDENT)
    scorer = Scorer.of(task, data=data, tokenizer=tokenizer, accelerator=accelerator)
    student = scorer.kind.build(STUDENT, labels=scorer.labels, seed=options.seed).to(accelerator.device)
    set_dropout(student, hidden=options.dropout)
    validation = scorer.read(data, "validation")
    features = scorer.read(data, "train").features

    def batches(phase: Any) -> TaskBatches:
        return TaskBatches(features, scorer.kind, batch_size=phase.batch_size, seed=options.seed,
                           pad_token_id=special_id(tokenizer, "pad"), device=accelerator.device,
                           share=share_of(accelerator))  # fmt: skip

    shared = {"weight_decay": options.weight_decay, "seed": options.seed, "accelerator": accelerator}
    memory = Memory()
    if options.distill:
        teacher = scorer.kind.build(Path("models/tasks") / run.key / "teacher", labels=scorer.labels, seed=0)
        teacher = rounded_once(teacher.to(accelerator.device).eval(), accelerator)
        _imitate(student, teacher, options, batches(options.intermediate), memory=memory,
                 folder=run.resume / "intermediate", label=f"inner states for {run.key}", **shared)  # fmt: skip
        if options.prediction.soft:
            for feature, logits in zip(features, scorer.logits(teacher, features), strict=True):
                feature["teacher_logits"] = logits
    hard, soft = (options.prediction.hard, options.prediction.soft) if options.distill else (1.0, 0.0)
    curve = fit(
        TaskPrediction(student, scorer.kind, hard=hard, soft=soft, temperature=options.prediction.temperature),
        student,
        batches=batches(options.prediction), epochs=options.prediction.epochs, rate=options.prediction.learning_rate,
        warmup=options.prediction.warmup, folder=run.resume / "prediction", label=f"student of {run.key}",
        score=lambda: scorer.scores(student, validation)[task.metric], **shared,
    )  # fmt: skip
    if not run.writes:
        return
    reports = Path("reports/tasks") / run.key
    with (
        whole_folder(f"models/tasks/{run.key}/student") as folder,
        whole(reports / "intermediate_curve.tsv") as first,
        whole(reports / "student_curve.tsv") as second,
        whole(reports / "student_machine.json") as machine,
    ):
        save(student, folder)
        save_tokenizer(tokenizer, folder=folder)
        write_curve(first, memory.curve)
        write_curve(second, curve)
        write_json(machine, describe(accelerator))


def _imitate(
    student: Any, teacher: Any, options: FinetuneStudent, batches: TaskBatches, *, memory: Memory, accelerator: Any,
    **training: Any,
) -> None:  # fmt: skip
    """The first phase, on the student in place; its projections are not needed afterwards."""
    phase, configs = options.intermediate, (student.config, teacher.config)
    layers = _layers(phase.teacher_layers, *configs)
    maps = projections.load(STUDENT).to(accelerator.device)
    imitation = Imitation(maps, *configs, teacher_layers=layers, weights=phase.losses.model_dump())

    def batch(step: int) -> dict[str, Any]:
        one = batches(step)
        return one | {"teacher": show_rows(teacher, one, layers=layers, autocast=accelerator.autocast)}

    for _ in train(
        TaskImitation(student, imitation), batches=batch, steps=phase.epochs * batches.steps_in_epoch,
        rate=phase.learning_rate, warmup=phase.warmup, memory=memory, accelerator=accelerator, **training,
    ):  # fmt: skip
        pass


def _layers(rule: str | list[int], student: BertConfig, teacher: BertConfig) -> list[int]:
    return choose_layers(rule, student=student.num_hidden_layers, teacher=teacher.num_hidden_layers)


if __name__ == "__main__":
    run(main, Parameters, trains=True)
