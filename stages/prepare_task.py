"""One task's rows in the one schema of its kind, checked.

In: `tasks.T.data.source`. Out: data/tasks/T/{train,validation,test}.parquet and labels.json.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from stages.parameters.kinds import TaskKind
from stages.parameters.section import Section
from stages.parameters.task import Data
from stages.pipeline.errors import InputError
from stages.pipeline.outputs import whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.tasks.splitting import keep_back, take
from stages.tasks.tables import SPLITS, write_labels, write_rows
from stages.text.reading import class_names, open_split, require_columns


class Task(Section):
    kind: TaskKind
    data: Data


class Parameters(Section):
    task: Task


def main(p: Parameters, run: Run) -> None:
    kind = import_module(f"stages.tasks.{p.task.kind}_rows")
    splits, names = _splits(p.task.data, kind)
    labels = _labels(p.task.data, splits["train"], kind, names=names)
    for split in SPLITS:
        for number, row in enumerate(splits[split], start=1):
            _locate(lambda row=row: kind.check_row(row, labels=labels), p.task.data, split, number)
    with whole_folder(f"data/tasks/{run.key}") as folder:
        for split in SPLITS:
            write_rows(folder / f"{split}.parquet", splits[split], kind.SCHEMA)
        write_labels(folder, labels)
    sizes = ", ".join(f"{len(splits[split])} {split}" for split in SPLITS)
    say(f"data/tasks/{run.key}: {sizes} rows" + (f", {len(labels)} labels" if labels else ""))


def _splits(data: Data, kind: Any) -> tuple[dict[str, list[dict]], list[str] | None]:
    """The rows of each split, and the class names that the source has for its labels."""
    train, names = _read(data, data.splits.train, kind)
    if isinstance(data.splits.validation, str):
        validation, _ = _read(data, data.splits.validation, kind)
    else:
        train, validation = keep_back(train, fraction=data.splits.validation)
    test, _ = _read(data, data.splits.test, kind)
    if data.max_rows is not None:
        train = take(train, at_most=data.max_rows)
    for name, rows in (("train", train), ("validation", validation)):
        if not rows:
            raise InputError(f"{data.source}: data.splits.validation {data.splits.validation} leaves no {name} rows")
    return {"train": train, "validation": validation, "test": test}, names


def _labels(data: Data, train: list[dict], kind: Any, *, names: list[str] | None) -> list[str] | None:
    try:
        return kind.label_names(train, names=names)
    except InputError as error:
        raise InputError(f"{data.source}, split {data.splits.train}: {error}") from None


def _read(data: Data, split: str, kind: Any) -> tuple[list[dict], list[str] | None]:
    columns = kind.Columns.model_validate(data.columns)
    rows, features = open_split(Path(data.source), config=data.config, split=split)
    first = next(rows)
    require_columns(first, names=kind.column_names(columns), where=f"{data.source}, split {split}")
    names = class_names(features, column=getattr(columns, "label", getattr(columns, "tags", "")))
    read = [_locate(lambda: kind.read_row(first, columns=columns, names=names), data, split, 1)]
    for number, row in enumerate(rows, start=2):
        read.append(_locate(lambda row=row: kind.read_row(row, columns=columns, names=names), data, split, number))
    return read, names


def _locate(step: Any, data: Data, split: str, number: int) -> Any:
    """`step()`, its InputError with the place of the row."""
    try:
        return step()
    except InputError as error:
        raise InputError(f"{data.source}, split {split}, row {number}: {error}") from None


if __name__ == "__main__":
    run(main, Parameters)
