"""One task's rows in the schema of its kind, checked.

In: `data.source` of a task.
Out: data/tasks/T/{train,validation,test}.parquet and labels.json; data/unlabelled/T.parquet, in which labels are null.
A file of its own, so that other unlabelled rows fine-tune no teacher again.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from stages.parameters.section import Section, TaskKind
from stages.parameters.tasks import Data, Unlabelled
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_file, atomic_folder
from tinybert.data.datasets import class_names, hold_out, open_split, require_columns, subsample
from tinybert.errors import InputError
from tinybert.tasks.protocol import TaskRows
from tinybert.tasks.tables import SPLITS, write_labels, write_rows
from tinybert.tasks.unlabelled import unlabelled_schema, without_labels
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
            _locate(lambda row=row: kind.check_row(row, labels=labels), p.task.data.source, split, number)
    unlabelled = _unlabelled(p.task.data.unlabelled, kind) if p.task.data.unlabelled else []
    with atomic_folder(f"data/tasks/{run.key}") as folder:
        for split in SPLITS:
            write_rows(folder / f"{split}.parquet", splits[split], kind.SCHEMA)
        write_labels(folder, labels)
    with atomic_file(f"data/unlabelled/{run.key}.parquet") as file:
        write_rows(file, unlabelled, unlabelled_schema(kind.SCHEMA))
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in (splits | {"unlabelled": unlabelled}).items() if rows)
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
    rows, features = _open(data, split, names=kind.column_names(columns))
    label_column = kind.label_column(columns)
    names = class_names(features, column=label_column) if label_column else None
    return [
        _locate(lambda row=row: kind.read_row(row, columns=columns, names=names), data.source, split, number)
        for number, row in enumerate(rows, start=1)
    ], names


def _unlabelled(data: Unlabelled, kind: TaskRows) -> Rows:
    columns = kind.Columns.model_validate(data.columns)
    rows, _ = _open(data, data.split, names=kind.input_columns(columns))
    read = [
        _locate(lambda row=row: kind.read_input(row, columns=columns), data.source, data.split, number)
        for number, row in enumerate(rows, start=1)
    ]
    return [without_labels(row, kind.SCHEMA) for row in subsample(read, at_most=data.max_rows or len(read))]


def _open(data: Data | Unlabelled, split: str, *, names: list[str]) -> tuple[Iterator[dict], Any]:
    """The rows of a split, which have the columns `names`, and its features."""
    rows, features = open_split(Path(data.source), config=data.config, split=split)
    first = next(rows)
    require_columns(first, names=names, where=f"{data.source}, split {split}")
    return chain([first], rows), features


def _locate(step: Callable[[], Result], source: str, split: str, number: int) -> Result:
    """`step()`, its InputError with the place of the row."""
    try:
        return step()
    except InputError as error:
        raise InputError(f"{source}, split {split}, row {number}: {error}") from None


if __name__ == "__main__":
    run(main, Parameters)
