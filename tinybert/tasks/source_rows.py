"""The labelled rows of a task's source: read by their kind, each with its place, and drawn into splits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tinybert.data.splitting import draw_splits
from tinybert.errors import InputError
from tinybert.tasks.columns import NoLabel
from tinybert.tasks.protocol import Row, TaskRows

Result = TypeVar("Result")


@dataclass(frozen=True)
class SourceRow:
    """A row of a kind's SCHEMA, where it comes from, for a message, and the value of the task's group column."""

    row: Row
    place: str
    group: str | None = None


def read_labelled(
    raw: Iterable[Row], kind: TaskRows, *, columns: Any, names: list[str] | None, where: str, group: str | None,
    skip_unlabelled: bool,
) -> list[SourceRow]:  # fmt: skip
    """The rows of one split of a source. `where` names the split; see TaskRows.read_row.

    Raises InputError for a row that no model can learn from, and, unless they are to be skipped, for rows that have no
    label, with their number.
    """
    read, lacking, count = list[SourceRow](), list[str](), 0
    for count, row in enumerate(raw, start=1):
        place = f"{where}, row {count}"
        try:
            labelled = locate(lambda row=row: kind.read_row(row, columns=columns, names=names), place)
            read.append(SourceRow(labelled, place, None if group is None else _named(row[group])))
        except NoLabel as error:
            lacking.append(f"row {count}: {error}")
    if lacking and not skip_unlabelled:
        raise InputError(
            f"{where}: {len(lacking)} of {count} rows have no label, the first is {lacking[0]}; "
            "data.skip_unlabelled: true leaves them out"
        )
    return read


def draw(rows: list[SourceRow], kind: TaskRows, *, shares: Mapping[str, float]) -> dict[str, list[SourceRow]]:
    """The rows by split: `shares` of them under their names, and "rest"; see draw_splits.

    Rows with a text of GROUPED in common, or with the same value of the group column, fall into one split.
    """
    drawn = draw_splits([_keys(row, kind) for row in rows], shares=shares)
    splits: dict[str, list[SourceRow]] = {name: [] for name in ("rest", *shares)}
    for row, name in zip(rows, drawn, strict=True):
        place = row.place if name == "rest" else f"{row.place} (drawn for {name})"
        splits[name].append(replace(row, place=place))
    return splits


def _named(group: Any) -> str | None:
    """The value of a group column; a row whose value is null, NaN or blank is of no group."""
    text = "" if group is None or group != group else str(group)
    return text if text.strip() else None


def _keys(source: SourceRow, kind: TaskRows) -> list[str]:
    texts = (source.row[name] for name in kind.GROUPED)
    keys = [f"text {text if isinstance(text, str) else ' '.join(text)}" for text in texts if text]
    return keys if source.group is None else [*keys, f"group {source.group}"]


def locate(step: Callable[[], Result], place: str) -> Result:
    """`step()`, its InputError with the place of the row."""
    try:
        return step()
    except NoLabel:
        raise
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
