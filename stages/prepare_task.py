"""One task's rows in the schema of its kind, checked.

In: `data.source` of a task.
Out: data/tasks/T/{train,validation,test}.parquet and labels.json; data/unlabelled/T.parquet, in which labels are null.
A file of its own, so that other unlabelled rows fine-tune no teacher again.
"""

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from stages.parameters.section import Section, TaskKind
from stages.parameters.tasks import Data, Unlabelled
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_file, atomic_folder
from tinybert.data.datasets import class_names, open_split, require_columns
from tinybert.data.readers import Form
from tinybert.data.splitting import REST, subsample
from tinybert.errors import InputError
from tinybert.tasks.columns import are_numbers
from tinybert.tasks.protocol import Row, TaskRows
from tinybert.tasks.source_rows import SourceRow, draw, locate, read_labelled
from tinybert.tasks.tables import SPLITS, write_labels, write_rows
from tinybert.tasks.unlabelled import unlabelled_schema, without_labels
from tinybert.training.progress import log

Rows = list[SourceRow]


class Task(Section):
    kind: TaskKind
    data: Data


class Parameters(Section):
    task: Task


def main(p: Parameters, run: Run) -> None:
    kind: TaskRows = import_module(f"tinybert.tasks.{p.task.kind}.rows")  # pyright: ignore[reportAssignmentType]
    data = p.task.data
    splits, names = _splits(data, kind)
    train = [read.row for read in splits["train"]]
    labels = locate(lambda: kind.label_names(train, names=names), f"{data.source}, split {data.splits.train}")
    for read in chain.from_iterable(splits.values()):
        locate(lambda read=read: kind.check_row(read.row, labels=labels), read.place)
    tables = {name: [read.row for read in rows] for name, rows in splits.items()}
    for name, rows in tables.items():
        locate(lambda rows=rows: kind.check_split(rows), f"{data.source}, {name} rows (splits.{name})")
    unlabelled = _unlabelled(data.unlabelled, kind) if data.unlabelled else []
    with atomic_folder(f"data/tasks/{run.key}") as folder:
        for split in SPLITS:
            write_rows(folder / f"{split}.parquet", tables[split], kind.SCHEMA)
        write_labels(folder, labels)
    with atomic_file(f"data/unlabelled/{run.key}.parquet") as file:
        write_rows(file, unlabelled, unlabelled_schema(kind.SCHEMA))
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in (tables | {"unlabelled": unlabelled}).items() if rows)
    log(f"data/tasks/{run.key}: {sizes} rows" + (f", {len(labels)} labels" if labels else ""))


def _splits(data: Data, kind: TaskRows) -> tuple[dict[str, Rows], list[str] | None]:
    """The rows of each split, and the class names that the source has for its labels."""
    given = {name: getattr(data.splits, name) for name in SPLITS}
    shares = {name: share for name, share in given.items() if not isinstance(share, str)}
    train, names = _read(data, data.splits.train, kind)
    drawn = draw(train, kind, shares=shares) if shares else {REST: train}
    chosen = subsample([read.row for read in drawn[REST]], at_most=data.max_rows or len(train))
    splits = {"train": [drawn[REST][n] for n in chosen]}
    splits |= {name: drawn[name] if name in shares else _read(data, given[name], kind)[0] for name in SPLITS[1:]}
    for name in SPLITS:
        if not splits[name]:
            wanted = ", ".join(f"{key} {value}" for key, value in given.items())
            raise InputError(
                f"{data.source}: data.splits ({wanted}) leave no {name} rows of {len(train)} to train on"
                + ("; rows that share a text, or data.group, stay together" if name in shares else "")
            )
    return splits, names


def _read(data: Data, split: str, kind: TaskRows) -> tuple[Rows, list[str] | None]:
    columns = kind.Columns.model_validate(data.columns)
    group = [] if data.group is None else [data.group]
    raw, features = _open(data, split, names=[*kind.column_names(columns), *group])
    label_column = kind.label_column(columns)
    names = class_names(features, column=label_column) if label_column else None
    return read_labelled(
        raw, kind, columns=columns, names=names, where=f"{data.source}, split {split}", group=data.group,
        skip_unlabelled=data.skip_unlabelled,
    ), names  # fmt: skip


def _unlabelled(data: Unlabelled, kind: TaskRows) -> list[Row]:
    columns = kind.Columns.model_validate(data.columns)
    raw, _ = _open(data, data.split, names=kind.input_columns(columns))
    read = [
        locate(lambda row=row: kind.read_input(row, columns=columns), f"{data.source}, split {data.split}, row {n}")
        for n, row in enumerate(raw, start=1)
    ]
    return [without_labels(read[n], kind.SCHEMA) for n in subsample(read, at_most=data.max_rows or len(read))]


def _open(data: Data | Unlabelled, split: str, *, names: list[str]) -> tuple[Iterator[Row], Any]:
    """The rows of a split, which have the columns `names`, and its features."""
    form = Form(encoding=data.encoding, quoted=getattr(data, "quoted", None), numbered=are_numbers(data.columns))
    rows, features = open_split(Path(data.source), config=data.config, split=split, form=form, labelled=True)
    first = next(rows)
    require_columns(first, names=names, where=f"{data.source}, split {split}")
    return chain([first], rows), features


if __name__ == "__main__":
    run(main, Parameters)
