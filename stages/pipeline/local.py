"""compute.local.yaml: what this machine computes with. No result depends on it; git and DVC do not track it."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from stages.parameters.section import Positive, Section
from stages.parameters.validation import problems, read_file, refuse

FILE = Path("compute.local.yaml")


class Preparation(Section):
    workers: Positive = 1
    """Tasks of `prepare_corpus` at a time."""
    slurm: dict[str, Any] | None = None
    """Arguments of datatrove's SlurmPipelineExecutor, partition and time above all: the tasks are jobs of Slurm."""


class Local(Section):
    launch: Annotated[list[str | int], Field(min_length=1)] | None = None
    """Command before `-m stages.NAME`, that starts the processes of a training, on one machine or many."""
    preparation: Preparation = Preparation()


def read_local() -> Local:
    """What the file says, if there is one. Raises InputError where it is not as it should be."""
    given = read_file(FILE) if FILE.exists() else {}
    refuse(problems(Local, given), file=FILE)
    return Local.model_validate(given)
