"""params.yaml as a whole."""

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from stages.parameters.cross_checks import cross_checks
from stages.parameters.section import Name, Section
from stages.parameters.sections import (
    Compute,
    Distill,
    Export,
    Initialize,
    Measure,
    Pack,
    PrepareCorpus,
    Pretrain,
    ReportedName,
    Source,
    Student,
)
from stages.parameters.tasks import Finetuning, Task, resolve, task_problems
from stages.pipeline.validation import problems, refuse, validate


class Whole(Section):
    compute: Compute
    sources: dict[Name, Source]
    prepare_corpus: PrepareCorpus
    initialize: Initialize
    pack: Pack
    pretrain: Pretrain
    students: Annotated[dict[ReportedName, Student], Field(min_length=1)]
    distill: Distill
    finetuning: Finetuning
    export: Export
    measure: Measure
    tasks: Annotated[dict[ReportedName, Task], Field(min_length=1)]


Tasks = dict[str, dict[str, Any]]
"""The numbers of each task by part: data, encoding, teacher, student."""


def validate_whole(given: dict[str, Any]) -> tuple[Whole, Tasks]:
    """params.yaml and its resolved tasks. Raises InputError with a line for each problem, in and between sections."""
    whole = validate(Whole, given)
    in_tasks = {name: list(task_problems(name, task, whole.finetuning)) for name, task in whole.tasks.items()}
    tasks = {name: resolve(whole.tasks[name], whole.finetuning) for name, found in in_tasks.items() if not found}
    refuse(chain(_source_problems(whole), *in_tasks.values(), cross_checks(whole, tasks)))
    return whole, tasks


def _source_problems(whole: Whole) -> Iterator[str]:
    for name, source in whole.sources.items():
        options = import_module(f"stages.sources.{source.kind}").Options
        yield from problems(options, source.options, section=("sources", name, "options"))
