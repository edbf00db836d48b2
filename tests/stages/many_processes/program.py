"""All training stages after each other as one stage, so that a test starts its processes once.

Environment: LABEL is a training, and DROP, STOP or KILL its step at which the launcher is killed, all stand still, or
the second process is killed; FAIL is what goes wrong in each process, or in the second one, before any training.
"""

import os
import signal
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from torch import distributed

from stages import distill, finetune_student
from stages.pipeline.stage import Other, Run, run
from tests.stages.many_processes import tiny
from tinybert.distillation import general
from tinybert.finetuning import fit
from tinybert.pretraining import mlm
from tinybert.training import resume
from tinybert.training.loop import train
from tinybert.training.progress import Progress


class Parameters(BaseModel):
    stages: list[str]
    together: bool | None = None
    """Whether the students of tiny.STUDENTS are distilled by one pass of their teacher, or each by itself."""


def main(p: Parameters, run: Run) -> None:
    if "FAIL" in os.environ:
        _fail(os.environ["FAIL"], first=run.writes)
    resume.FIRST_WAIT = resume.COST = -1.0  # a resume point after each step
    if "LABEL" in os.environ:
        for module in (mlm, general, finetune_student, fit):
            vars(module)["train"] = _disturbed
    if p.together is not None:
        _distill(run, together=p.together)
    for name in p.stages:
        stage = import_module(f"stages.{name}")
        instance = Run(tiny.KEYS[name], run.resume / name, run.writes)
        stage.main(stage.Parameters.model_validate(tiny.parameters(name)), instance)
        if distributed.is_initialized():
            distributed.barrier()  # what this stage has written, the next one reads


def _distill(run: Run, *, together: bool) -> None:
    """The second stage finds its training done where the first has trained both."""
    parameters = distill.Parameters.model_validate(tiny.without_mlm_losses())
    students = [Other(name, parameters, run.resume / name) for name in tiny.STUDENTS]
    for n, student in enumerate(students):
        others = tuple(students[n + 1 :]) if together else ()
        distill.main(parameters, Run(student.key, student.resume, run.writes, others))


def _fail(reason: str, *, first: bool) -> None:
    if reason == "disk":
        raise OSError(28, "No space left on device", "models/teacher")
    if first:
        time.sleep(60)  # as in waiting for the other
    if reason == "bug":
        raise ZeroDivisionError
    os.kill(os.getpid(), signal.SIGKILL)


def _disturbed(*arguments: Any, progress: Progress, **options: Any) -> Iterator[int]:
    """Training in the middle of whose step something happens."""
    for step in train(*arguments, progress=progress, **options):
        if progress.label == os.environ["LABEL"]:
            _disturb(step)
        yield step


def _disturb(step: int) -> None:
    main = os.environ["RANK"] == "0"
    if os.environ.get("DROP") == str(step):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    elif os.environ.get("STOP") == str(step):
        if main:
            Path("stopped").touch()
        time.sleep(600)
    elif os.environ.get("KILL") == str(step) and not main:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run(main, Parameters, trains=True)
