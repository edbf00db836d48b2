"""All training stages after each other as one stage, so that a test starts its processes once.

Environment: LABEL and DROP are the training and its step at which the processes are killed; FAIL is what goes wrong in
each process, or in the second one, before any training.
"""

import os
import signal
import time
from collections.abc import Iterator
from importlib import import_module
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
    if "DROP" in os.environ:
        for module in (mlm, general, finetune_student, fit):
            vars(module)["train"] = _dropped
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


def _dropped(*arguments: Any, progress: Progress, **options: Any) -> Iterator[int]:
    """Training whose launcher is killed in the middle of a step."""
    for step in train(*arguments, progress=progress, **options):
        if (progress.label, step) == (os.environ["LABEL"], int(os.environ["DROP"])):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        yield step


if __name__ == "__main__":
    run(main, Parameters, trains=True)
