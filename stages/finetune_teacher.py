"""Fine-tune the teacher for one task on its gold labels.

In: models/teacher, data/tasks/T. Out: models/tasks/T/teacher, reports/tasks/T/teacher/{curve.tsv,machine.json}.
"""

from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import Compute
from stages.parameters.tasks import FinetuneTeacher, Scored
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import save_tokenizer
from tinybert.files import write_curve, write_json
from tinybert.finetuning.fit import TaskBatches, TaskPrediction, fit
from tinybert.finetuning.predict import Scorer
from tinybert.model.checkpoint import require_positions, save, set_dropout
from tinybert.training.data_parallel import shard_of
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import Progress

TEACHER = Path("models/teacher")


class Task(Scored):
    teacher: FinetuneTeacher


class Parameters(Section):
    compute: Compute
    task: Task


def main(p: Parameters, run: Run) -> None:
    task, options = p.task, p.task.teacher
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    scorer = Scorer(task.kind, data=Path("data/tasks") / run.task, checkpoint=TEACHER, encoding=task.encoding,
                    decoding=task.decoding, accelerator=accelerator)  # fmt: skip
    model = scorer.task.build(TEACHER, labels=scorer.labels, seed=options.seed).to(accelerator.device)
    require_positions(
        task.encoding["max_length"], model.config, key=f"params.yaml: tasks.{run.task}.encoding.max_length"
    )
    set_dropout(model, hidden=options.dropout)
    validation = scorer.read("validation")
    scorer.require(task.metric, validation.rows)
    curve = fit(
        TaskPrediction(model, scorer.task, hard=1.0, soft=0.0, temperature=1.0),
        model,
        batches=TaskBatches(scorer.read("train").features, scorer.task, batch_size=options.batch_size,
                            seed=options.seed, pad_token_id=scorer.pad_token_id,
                            device=accelerator.device, shard=shard_of(accelerator)),
        **options.model_dump(include={"epochs", "learning_rate", "warmup", "weight_decay", "seed"}),
        score=lambda: scorer.scores(model, validation)[task.metric],
        accelerator=accelerator, folder=run.resume, progress=Progress(f"teacher of {run.task}"),
    )  # fmt: skip
    if not run.writes:
        return
    reports = Path("reports/tasks") / run.task / "teacher"
    with atomic_folder(f"models/tasks/{run.task}/teacher") as folder:
        scorer.sign(model)
        save(model, folder)
        save_tokenizer(scorer.tokenizer, folder=folder)
    write_curve(reports / "curve.tsv", curve)
    write_json(reports / "machine.json", describe(accelerator))


if __name__ == "__main__":
    run(main, Parameters, trains=True)
