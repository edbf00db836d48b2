"""Which student for how many parameters: `python -m tools.front` ranks those of the workspace and of experiments.

Ranked by validation, never by test: the best of many by its test score would have a test score that is too high.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import PurePath
from statistics import mean
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from tinybert.reporting.page import leaves, short
from tinybert.reporting.results import FLOORS, TEACHER

METRICS, SPEED, PARAMETERS = "reports/metrics", "reports/speed", "params.yaml"
SHOWN = 6
"""Parameters in a row; of more, the number is shown."""
HEAD = ("", "revision", "model", "share", "tasks", "parameters", "multiply-adds", "speed-up", "differs in")
LEGEND = """\
share: a model's validation score over that of its teacher, the mean over tasks
speed-up: the teacher's latency over that of the model's fastest variant, the mean over tasks
*: on the Pareto front: no other has a share as high with as few parameters"""
UNKNOWN = inf
Numbers = Mapping[str, Mapping[str, Any]]
"""The content of metric files by path."""


@dataclass(frozen=True)
class Revision:
    """The workspace or an experiment."""

    name: str
    metrics: Numbers
    parameters: Mapping[str, Any]
    """Every value of params.yaml by its path."""


@dataclass(frozen=True)
class Candidate:
    """A student, or its int8 file, in one revision. Sizes and speed-up are means over tasks, or UNKNOWN."""

    revision: str
    model: str
    share: float
    tasks: int
    parameters: float
    multiply_adds: float
    speed_up: float
    differs: str = ""
    """Values of the parameters in which the revisions differ."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Students of the workspace and of experiments, ranked by validation.")
    parser.add_argument("--task", help="rank by this task alone")
    parser.add_argument("-n", "--last", type=int, default=1, help="experiments of so many last commits (1)")
    options = parser.parse_args()
    try:
        listed = revisions(last=options.last)
    except DvcException as error:
        raise SystemExit(f"dvc: {error}") from None
    ranked = rank(listed, task=options.task)
    if not ranked:
        of_task = f" of a task {options.task}" if options.task else ""
        raise SystemExit(f"no validation score{of_task} in {METRICS}: run `dvc repro` or `dvc exp run`")
    print(table(ranked))


def revisions(*, last: int) -> list[Revision]:
    """The workspace, then the experiments of `dvc exp show` that are done; DVC reads them without a checkout."""
    with Repo() as repo:
        workspace, *commits = repo.experiments.show(num=last, hide_queued=True, hide_failed=True)
    done = [state for commit in commits for of in commit.experiments or () for state in of.revs[:1]]
    return [_revision(state) for state in (workspace, *done) if state.data]


def _revision(state: Any) -> Revision:
    """Of what DVC knows: files by path, each with its `data`, or an `error` where it cannot be read."""
    files, parameters = (_readable(part) for part in (state.data.metrics, state.data.params))
    return Revision(state.name or state.rev, files, leaves(parameters.get(PARAMETERS, {})))


def _readable(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {PurePath(path).as_posix(): content["data"] for path, content in files.items() if "data" in content}


def rank(listed: Sequence[Revision], *, task: str | None = None) -> list[Candidate]:
    """All candidates, from the highest share to the lowest; of equal ones the smaller first."""
    differing = _differing([revision.parameters for revision in listed])
    found = [
        replace(candidate, differs=_shown(revision.parameters, differing))
        for revision in listed
        for candidate in _candidates(revision, task)
    ]
    return sorted(found, key=lambda c: (-c.share, c.parameters, c.revision, c.model))


def _candidates(revision: Revision, task: str | None) -> Iterator[Candidate]:
    """Of tasks whose teacher has a validation score, which those of older commits have not."""
    by_task = _by_task(revision.metrics, METRICS)
    tasks = {name: models for name, models in by_task.items() if "validation" in models.get(TEACHER, {})}
    tasks = {name: models for name, models in tasks.items() if task in (None, name)}
    speed = _by_task(revision.metrics, SPEED)
    names = dict.fromkeys(model for models in tasks.values() for model in models)
    for model in (name for name in names if name not in (TEACHER, *FLOORS)):
        has = {name: models[model] for name, models in tasks.items() if "validation" in models.get(model, {})}
        if has:
            yield Candidate(
                revision.name, model, mean(_share(row, tasks[name][TEACHER]) for name, row in has.items()), len(has),
                _mean(has.values(), "parameters"), _mean(has.values(), "multiply_adds"),
                _mean([speed.get(name, {}).get(model, {}) for name in has], "speed_up"),
            )  # fmt: skip


def _by_task(files: Numbers, folder: str) -> dict[str, dict[str, Mapping[str, Any]]]:
    """By task, then by model, the files of one folder."""
    tasks: dict[str, dict[str, Mapping[str, Any]]] = {}
    for path in (PurePath(path) for path in files if PurePath(path).is_relative_to(folder)):
        tasks.setdefault(path.parent.name, {})[path.stem] = files[path.as_posix()]
    return tasks


def _share(row: Mapping[str, Any], teacher: Mapping[str, Any]) -> float:
    """0 where the teacher's score is 0, as in comparison.compare."""
    return row["validation"] / teacher["validation"] if teacher["validation"] else 0.0


def _mean(rows: Iterable[Mapping[str, Any]], key: str) -> float:
    values = [row[key] for row in rows if key in row]
    return mean(values) if values else UNKNOWN


def front(ranked: Sequence[Candidate]) -> list[bool]:
    """Whether each is on the Pareto front of share against parameters; one of unknown size is not."""

    def dominates(a: Candidate, b: Candidate) -> bool:
        better = a.share > b.share or a.parameters < b.parameters
        return better and a.share >= b.share and a.parameters <= b.parameters

    return [c.parameters < UNKNOWN and not any(dominates(other, c) for other in ranked) for c in ranked]


def _differing(all_parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    """Parameters that do not have the same value in all revisions."""
    names = dict.fromkeys(name for parameters in all_parameters for name in parameters)
    return [name for name in names if any(p.get(name) != all_parameters[0].get(name) for p in all_parameters)]


def _shown(parameters: Mapping[str, Any], names: Sequence[str]) -> str:
    values = [f"{name}={parameters[name]}" for name in names if name in parameters]
    return " ".join(values[:SHOWN]) + (f" and {len(values) - SHOWN} more" if len(values) > SHOWN else "")


def table(ranked: Sequence[Candidate]) -> str:
    """As aligned text: words to the left, numbers to the right."""
    rows = [HEAD, *(_cells(c, on_front) for c, on_front in zip(ranked, front(ranked), strict=True))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = {0, 1, 2, len(HEAD) - 1}
    lines = ["  ".join(cell.ljust(width) if n in words else cell.rjust(width)
                       for n, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in rows]  # fmt: skip
    return "\n".join([*(line.rstrip() for line in lines), "", LEGEND])


def _cells(c: Candidate, on_front: bool) -> tuple[str, ...]:
    sizes = (short(size).strip() if size < UNKNOWN else "-" for size in (c.parameters, c.multiply_adds))
    speed_up = f"{c.speed_up:.1f}x" if c.speed_up < UNKNOWN else "-"
    return ("*" if on_front else "", c.revision, c.model, f"{c.share:.3f}", str(c.tasks), *sizes, speed_up, c.differs)


if __name__ == "__main__":
    main()
