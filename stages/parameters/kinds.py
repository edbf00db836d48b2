"""Kinds of tasks and of sources are names of files: what is there is what a user may write."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

STAGES = Path(__file__).parents[1]


def task_kinds() -> list[str]:
    return sorted(file.stem.removesuffix("_rows") for file in (STAGES / "tasks").glob("*_rows.py"))


def source_kinds() -> list[str]:
    return sorted(file.parent.name for file in (STAGES / "sources").glob("*/source.py"))


def _known_task(kind: str) -> str:
    if kind not in task_kinds():
        raise ValueError(f"got {kind!r}, wanted is one of {', '.join(task_kinds())}")
    return kind


def _known_source(kind: str) -> str:
    if kind not in source_kinds():
        raise ValueError(f"got {kind!r}, wanted is one of {', '.join(source_kinds())}")
    return kind


TaskKind = Annotated[str, AfterValidator(_known_task)]
"""A file of stages/tasks and of stages/metrics."""
SourceKind = Annotated[str, AfterValidator(_known_source)]
"""A folder of stages/sources."""
