"""Validate the whole of params.yaml before anything else runs.

In: params.yaml. Out: data/checked, a file that never changes, so that nothing runs again because of it.
"""

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import RootModel

from stages.parameters.contradictions import across_sections
from stages.parameters.whole import Whole
from stages.pipeline.outputs import whole
from stages.pipeline.parameters import problems, read_file, refuse, validate
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run

PARAMETERS = Path("params.yaml")


class Parameters(RootModel[dict[str, Any]]):
    """dvc.yaml gives this stage the file as a dependency, and no parameter of its own."""


def main(p: Parameters, run: Run) -> None:
    parameters = validate(Whole, read_file(PARAMETERS))
    refuse(chain(sources(parameters), tasks(parameters), across_sections(parameters)))
    with whole("data/checked") as file:
        file.write_text("params.yaml is valid\n")
    say(f"params.yaml is valid: {len(parameters.tasks)} tasks, {len(parameters.sources)} sources")


def sources(whole: Whole) -> Iterator[str]:
    """What the kinds of sources say of their options."""
    for name, source in whole.sources.items():
        model = import_module(f"stages.sources.{source.kind}.options").Options
        yield from problems(model, source.options, section=("sources", name, "options"))


def tasks(whole: Whole) -> Iterator[str]:
    """What the kinds of tasks say of the parts that are theirs."""
    for name, task in whole.tasks.items():
        kind = import_module(f"stages.tasks.{task.kind}_rows")
        yield from problems(kind.Columns, task.data.columns, section=("tasks", name, "data", "columns"))
        yield from problems(kind.Encoding, task.encoding, section=("tasks", name, "encoding"))
        yield from problems(kind.Decoding, task.decoding, section=("tasks", name, "decoding"))
        metrics = import_module(f"stages.metrics.{task.kind}").NAMES
        if task.metric not in metrics:
            yield f"tasks.{name}.metric: got {task.metric!r}, wanted for {task.kind} is one of {', '.join(metrics)}"


if __name__ == "__main__":
    run(main, Parameters)
