"""One task's rows in the schema of its kind, checked.

In: `data.source` of a task. Out: data/tasks/T/{train,validation,test}.parquet and labels.json.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from stages.parameters.section import Section, TaskKind
from stages.parameters.tasks import Data
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.data.datasets import class_names, hold_out, open_split, require_columns, subsample
from tinybert.errors import InputError
from tinybert.tasks.protocol import TaskRows
from tinybert.tasks.tables import SPLITS, write_labels, write_rows
from tinybert.training.progress import log

Rows = list[dict]
Result = TypeVar("Result")


class Task(Section):
    kind: TaskKind
    data: Data


class Parameters(Section):
    task: Task


def main(p: Parameters, run: Run) -> None:
    kind: TaskRows = import_module(f"tinybert.tasks.{p.task.kind}.rows")  # pyright: ignore[reportAssignmentType]
    splits, names = _splits(p.task.data, kind)
    labels = _labels(p.task.data, splits["train"], kind, names=names)
    for split in SPLITS:
        for number, row in enumerate(splits[split], start=1):
            _locate(lambda row=row: kind.check_row(row, labels=labels), p.task.data, split, number)
    with atomic_folder(f"data/tasks/{run.key}") as folder:
        for split in SPLITS:
            write_rows(folder / f"{split}.parquet", splits[split], kind.SCHEMA)
        write_labels(folder, labels)
    sizes = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
    log(f"data/tasks/{run.key}: {sizes} rows" + (f", {len(labels)} labels" if labels else ""))


def _splits(data: Data, kind: TaskRows) -> tuple[dict[str, Rows], list[str] | None]:
    """The rows of each split, and the class names that the source has for its labels."""
    train, names = _read(data, data.splits.train, kind)
    if isinstance(data.splits.validation, str):
        validation, _ = _read(data, data.splits.validation, kind)
    else:
        train, validation = hold_out(train, fraction=data.splits.validation)
    test, _ = _read(data, data.splits.test, kind)
    if data.max_rows is not None:
        train = subsample(train, at_most=data.max_rows)
    for name, rows in (("train", train), ("validation", validation)):
        if not rows:
            raise InputError(f"{data.source}: data.splits.validation {data.splits.validation} leaves no {name} rows")
    return {"train": train, "validation": validation, "test": test}, names


def _labels(data: Data, train: Rows, kind: TaskRows, *, names: list[str] | None) -> list[str]:
    try:
        return kind.label_names(train, names=names)
    except InputError as error:
        raise InputError(f"{data.source}, split {data.splits.train}: {error}") from None


def _read(data: Data, split: str, kind: TaskRows) -> tuple[Rows, list[str] | None]:
    columns = kind.Columns.model_validate(data.columns)
    rows, features = open_split(Path(data.source), config=data.config, split=split)
    first = next(rows)
    require_columns(first, names=kind.column_names(columns), where=f"{data.source}, split {split}")
    label_column = kind.label_column(columns)
    names = class_names(features, column=label_column) if label_column else None
    read = [_locate(lambda: kind.read_row(first, columns=columns, names=names), data, split, 1)]
    for number, row in enumerate(rows, start=2):
        read.append(_locate(lambda row=row: kind.read_row(row, columns=columns, names=names), data, split, number))
    return read, names


def _locate(step: Callable[[], Result], data: Data, split: str, number: int) -> Result:
    """`step()`, its InputError with the place of the row."""
    try:
        return step()
    except InputError as error:
        raise InputError(f"{data.source}, split {split}, row {number}: {error}") from None


if __name__ == "__main__":
    run(main, Parameters)
