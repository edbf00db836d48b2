"""Fine-tune the teacher for one task on its gold labels.

In: models/teacher, data/tasks/T. Out: models/tasks/T/teacher, reports/tasks/T/{teacher_curve.tsv,teacher_machine.json}.
"""

from pathlib import Path

from stages.model.checkpoint import require_positions, save, set_dropout
from stages.parameters.compute import Compute
from stages.parameters.section import Section
from stages.parameters.task import FinetuneTeacher, Scored
from stages.pipeline.outputs import whole, whole_folder
from stages.pipeline.stage import Run, run
from stages.reporting.tables import write_curve, write_json
from stages.text.tokenizer import load_tokenizer, save_tokenizer, special_id
from stages.training.finetuning import fit
from stages.training.machine import describe, set_up
from stages.training.scoring import Scorer
from stages.training.sharing import share_of
from stages.training.task_batches import TaskBatches
from stages.training.task_prediction import TaskPrediction


class Task(Scored):
    teacher: FinetuneTeacher


class Parameters(Section):
    compute: Compute
    task: Task


def main(p: Parameters, run: Run) -> None:
    task, options, data = p.task, p.task.teacher, Path("data/tasks") / run.key
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer = load_tokenizer(Path("models/teacher"))
    scorer = Scorer.of(task, data=data, tokenizer=tokenizer, accelerator=accelerator)
    model = scorer.kind.build("models/teacher", labels=scorer.labels, seed=options.seed).to(accelerator.device)
    require_positions(task.encoding["max_length"], model.config, key=f"tasks.{run.key}.encoding.max_length")
    set_dropout(model, hidden=options.dropout)
    validation = scorer.read(data, "validation")
    scorer.require(task.metric, validation.rows)
    curve = fit(
        TaskPrediction(model, scorer.kind, hard=1.0, soft=0.0, temperature=1.0),
        model,
        batches=TaskBatches(scorer.read(data, "train").features, scorer.kind, batch_size=options.batch_size,
                            seed=options.seed, pad_token_id=special_id(tokenizer, "pad"), device=accelerator.device,
                            share=share_of(accelerator)),
        epochs=options.epochs, rate=options.learning_rate, warmup=options.warmup, weight_decay=options.weight_decay,
        seed=options.seed, accelerator=accelerator, folder=run.resume, label=f"teacher of {run.key}",
        score=lambda: scorer.scores(model, validation)[task.metric],
    )  # fmt: skip
    if not run.writes:
        return
    reports = Path("reports/tasks") / run.key
    with (
        whole_folder(f"models/tasks/{run.key}/teacher") as folder,
        whole(reports / "teacher_curve.tsv") as file,
        whole(reports / "teacher_machine.json") as machine,
    ):
        save(model, folder)
        save_tokenizer(tokenizer, folder=folder)
        write_curve(file, curve)
        write_json(machine, describe(accelerator))


if __name__ == "__main__":
    run(main, Parameters, trains=True)
