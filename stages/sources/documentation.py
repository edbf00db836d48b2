"""The embedded demonstration data as a source: a corpus and three labelled tasks from installed packages."""

import os
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from demonstration import build
from stages.pipeline.processes import die_with_parent


class Options(BaseModel):
    """Which installed packages are read, and how many rows of each labelled task are written at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packages: dict[str, str] = Field(min_length=2)  # distribution name -> the exact version that must be installed
    train_rows: int = Field(default=8000, ge=1)  # at most, in each task
    test_rows: int = Field(default=1000, ge=1)  # at most, in each task; the validation table has the same limit


def write(folder: Path, *, options: Options) -> None:
    """Write the corpus and the tables of the tasks into `folder`. Raises InputError as `demonstration.build` does."""
    build.write(folder, **options.model_dump(), initializer=partial(die_with_parent, os.getpid()))
