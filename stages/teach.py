"""The fine-tuned teacher's predictions on the task's training inputs, labelled or not, once for all students.

In: data/tasks/T, data/unlabelled/T.parquet, data/cloze/T.parquet, models/teacher, models/tasks/T/teacher.
Out: data/teaching/T (extra.parquet: the unlabelled rows; logits.safetensors: of the features of the training rows, then
of those; teaching.json: how many), reports/tasks/T/teaching/machine.json.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from accelerate import Accelerator

from stages.parameters.section import Section
from stages.parameters.sections import Compute
from stages.parameters.tasks import Scored, Teaching
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.tokenizer import load_tokenizer
from tinybert.distillation.augmentation import augment
from tinybert.distillation.teacher import cast_linear_weights_to_bf16
from tinybert.distillation.teaching import write_logits
from tinybert.errors import InputError
from tinybert.files import write_json
from tinybert.finetuning.predict import Scorer
from tinybert.model.checkpoint import load_checkpoint
from tinybert.tasks.protocol import Row, TaskRows
from tinybert.tasks.tables import read_rows, write_rows
from tinybert.tasks.unlabelled import NewRows, new_pairs, unlabelled_schema, with_texts, without_labels
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import log

PRETRAINED = Path("models/teacher")


class Task(Scored):
    teaching: Teaching


class Parameters(Section):
    compute: Compute
    task: Task


def main(p: Parameters, run: Run) -> None:
    task, data, tuned = p.task, Path("data/tasks") / run.key, Path("models/tasks") / run.key / "teacher"
    kind: TaskRows = import_module(f"tinybert.tasks.{task.kind}.rows")  # pyright: ignore[reportAssignmentType]
    accelerator = set_up(threads=p.compute.threads, precision=p.compute.precision)
    scorer = Scorer(task.kind, data=data, checkpoint=tuned, encoding=task.encoding, decoding=task.decoding,
                    accelerator=accelerator)  # fmt: skip
    labelled, held_out = (
        [row for split in splits for row in read_rows(data, split)] for splits in (("train",), ("validation", "test"))
    )
    new = NewRows(kind.INPUTS, labelled=labelled, held_out=held_out)
    counts = {"labelled": len(labelled), "unlabelled": new.add(read_rows(Path("data/unlabelled"), run.key))}
    counts["new_pairs"] = new.add(_new_pairs(task.teaching, kind, labelled, held_out, name=run.key))
    counts["cloze_questions"] = new.add(read_rows(Path("data/cloze"), run.key))
    counts["augmented"] = new.add(_augmented(task, kind, labelled, accelerator, name=run.key))
    extra = [without_labels(row, kind.SCHEMA) for row in new.rows]
    teacher = scorer.task.build(tuned, labels=scorer.labels, seed=0)
    teacher = cast_linear_weights_to_bf16(teacher.to(accelerator.device).eval(), accelerator)
    # One after the other: the labelled rows' logits have the same bits whatever the extra rows are.
    logits = [row for rows in (labelled, extra) for row in scorer.logits(teacher, scorer.encode(rows).features)]
    if not run.writes:
        return
    with atomic_folder(f"data/teaching/{run.key}") as folder:
        write_rows(folder / "extra.parquet", extra, unlabelled_schema(kind.SCHEMA))
        write_logits(folder / "logits.safetensors", logits)
        write_json(folder / "teaching.json", {"rows": counts, "dropped": new.dropped})
    write_json(Path("reports/tasks") / run.key / "teaching/machine.json", describe(accelerator))
    log(f"data/teaching/{run.key}: {len(labelled)} labelled and {len(extra)} extra rows")


def _augmented(
    task: Task, kind: TaskRows, labelled: Sequence[Row], accelerator: Accelerator, *, name: str
) -> list[Row]:
    options = task.teaching.augmentation
    if not options.copies:
        return []
    model, tokenizer = load_checkpoint(PRETRAINED).to(accelerator.device), load_tokenizer(PRETRAINED)
    columns = [column for column in kind.AUGMENTED if labelled[0][column] is not None]
    try:
        variants = augment(
            [row[column] for column in columns for row in labelled], model, tokenizer=tokenizer,
            **options.model_dump(), seed=task.teaching.seed, max_length=task.encoding["max_length"],
            accelerator=accelerator,
        )  # fmt: skip
    except InputError as error:
        raise InputError(f"params.yaml: tasks.{name}.teaching: {error}") from None
    by_column = {column: variants[n * len(labelled) : (n + 1) * len(labelled)] for n, column in enumerate(columns)}
    return with_texts(labelled, by_column, inputs=kind.INPUTS)


def _new_pairs(
    teaching: Teaching, kind: TaskRows, labelled: Sequence[Row], held_out: Sequence[Row], *, name: str
) -> list[Row]:
    if not teaching.new_pairs:
        return []
    try:
        return new_pairs(labelled, inputs=kind.INPUTS, held_out=held_out, count=teaching.new_pairs, seed=teaching.seed)
    except InputError as error:
        raise InputError(f"params.yaml: tasks.{name}.teaching.new_pairs is {teaching.new_pairs}: {error}") from None


if __name__ == "__main__":
    run(main, Parameters, trains=True)
