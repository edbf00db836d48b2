"""What the sections of params.yaml have in common: they are frozen, strictly typed, and know all of their keys."""

import io
import json
from importlib import import_module
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

ROOT = FilePath(__file__).parents[2]


class Section(BaseModel):
    """A part of params.yaml. Keys are required unless the model gives a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


LARGEST = 2**31 - 1
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
NotNegative = Annotated[int, Field(ge=0, le=LARGEST)]
Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Temperature = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Path = Annotated[str, StringConstraints(min_length=1)]


def task_kinds() -> list[str]:
    return sorted(file.parent.name for file in (ROOT / "tinybert/tasks").glob("*/rows.py"))


def source_kinds() -> list[str]:
    return sorted(file.stem for file in (ROOT / "stages/sources").glob("[a-z]*.py"))


def task_rows(kind: str) -> Any:
    """The data side of a kind of task."""
    return import_module(f"tinybert.tasks.{kind}.rows")


def task_metrics(kind: str) -> Any:
    """The metrics of a kind of task."""
    return import_module(f"tinybert.tasks.{kind}.metrics")


def _known_task(kind: str) -> str:
    return _one_of(kind, task_kinds())


def _known_source(kind: str) -> str:
    return _one_of(kind, source_kinds())


def _one_of(kind: str, kinds: list[str]) -> str:
    if kind not in kinds:
        raise ValueError(f"expected one of {', '.join(kinds)}, got {json.dumps(kind)}")
    return kind


def _known_encoding(name: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)  # also refuses what is no encoding of text, such as hex
    except LookupError:
        raise ValueError(f"expected an encoding that Python knows, such as latin-1, got {json.dumps(name)}") from None
    return name


TextEncoding = Annotated[str, AfterValidator(_known_encoding)]
"""Of files of text."""
TaskKind = Annotated[str, AfterValidator(_known_task)]
"""A folder of tinybert/tasks: what is there is what a user may write."""
SourceKind = Annotated[str, AfterValidator(_known_source)]
"""A module of stages/sources."""
