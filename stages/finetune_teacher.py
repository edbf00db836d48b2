"""Fine-tune the teacher for one task on its gold labels.

In: models/teacher, data/tasks/T. Out: models/tasks/T/teacher, reports/tasks/T/teacher/{curve.tsv,machine.json}.
"""

from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import Compute
from stages.parameters.tasks import FinetuneTeacher, Scored
from stages.pipeline.outputs import atomic_file, atomic_folder
from stages.pipeline.stage import Run, run
from tinybert.data.tokenizer import load_tokenizer, save_tokenizer, special_id
from tinybert.files import write_curve, write_json
from tinybert.finetuning.fit import TaskBatches, TaskPrediction, fit
from tinybert.finetuning.predict import Scorer
from tinybert.model.checkpoint import require_positions, save, set_dropout
from tinybert.tasks.tables import read_labels
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
    task, options, data = p.task, p.task.teacher, Path("data/tasks") / run.task
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    tokenizer, labels = load_tokenizer(TEACHER), read_labels(data)
    scorer = Scorer(task.kind, tokenizer=tokenizer, labels=labels, encoding=task.encoding, decoding=task.decoding,
                    accelerator=accelerator)  # fmt: skip
    model = scorer.task.build(TEACHER, labels=labels, seed=options.seed).to(accelerator.device)
    require_positions(
        task.encoding["max_length"], model.config, key=f"params.yaml: tasks.{run.task}.encoding.max_length"
    )
    set_dropout(model, hidden=options.dropout)
    validation = scorer.read(data, "validation")
    scorer.require(task.metric, validation.rows)
    curve = fit(
        TaskPrediction(model, scorer.task, hard=1.0, soft=0.0, temperature=1.0),
        model,
        batches=TaskBatches(scorer.read(data, "train").features, scorer.task, batch_size=options.batch_size,
                            seed=options.seed, pad_token_id=special_id(tokenizer, "pad"), device=accelerator.device,
                            shard=shard_of(accelerator)),
        **options.model_dump(include={"epochs", "learning_rate", "warmup", "weight_decay", "seed"}),
        score=lambda: scorer.scores(model, validation)[task.metric],
        accelerator=accelerator, folder=run.resume, progress=Progress(f"teacher of {run.task}"),
    )  # fmt: skip
    if not run.writes:
        return
    reports = Path("reports/tasks") / run.task / "teacher"
    with (
        atomic_folder(f"models/tasks/{run.task}/teacher") as folder,
        atomic_file(reports / "curve.tsv") as curve_file,
        atomic_file(reports / "machine.json") as machine,
    ):
        save(model, folder)
        save_tokenizer(tokenizer, folder=folder)
        write_curve(curve_file, curve)
        write_json(machine, describe(accelerator))


if __name__ == "__main__":
    run(main, Parameters, trains=True)
