"""The fine-tuned teacher's predictions on the task's training inputs, labelled or not, once for all students.

In: data/tasks/T, data/unlabelled/T.parquet, models/teacher, models/tasks/T/teacher.
Out: data/teaching/T (extra.parquet: the unlabelled rows; logits.safetensors: of the features of the training rows, then
of those; teaching.json: how many), reports/tasks/T/teaching/machine.json.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from stages.parameters.section import Section
from stages.parameters.sections import Compute
from stages.parameters.tasks import Scored, Teaching
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.distillation.teacher import cast_linear_weights_to_bf16
from tinybert.distillation.teaching import write_logits
from tinybert.errors import InputError
from tinybert.files import write_json
from tinybert.finetuning.predict import Scorer
from tinybert.tasks.protocol import Row, TaskRows
from tinybert.tasks.tables import read_rows, write_rows
from tinybert.tasks.unlabelled import NewRows, new_pairs, unlabelled_schema, without_labels
from tinybert.training.devices import describe, set_up
from tinybert.training.progress import log


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
