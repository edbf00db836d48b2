"""All training stages after each other as one stage, so that a test starts its processes once.

Environment: LABEL and DROP are the training and its step at which the processes are killed.
"""

import os
import signal
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from pydantic import BaseModel
from torch import distributed

from stages import distill, finetune_student, pretrain
from stages.pipeline.stage import Run, run
from stages.training import finetuning, loop
from tests.many_processes import tiny


class Parameters(BaseModel):
    stages: list[str]


def main(p: Parameters, run: Run) -> None:
    loop.FIRST_WAIT = loop.COST = -1.0  # a resume point after each step
    if "DROP" in os.environ:
        for module in (pretrain, distill, finetune_student, finetuning):
            vars(module)["train"] = _dropped
    for name in p.stages:
        stage = import_module(f"stages.{name}")
        key = "t" if name.startswith("finetune") else ""
        stage.main(stage.Parameters.model_validate(tiny.parameters(name)), Run(key, run.resume / name, run.writes))
        if distributed.is_initialized():
            distributed.barrier()  # what this stage has written, the next one reads


def _dropped(*arguments: Any, label: str, **options: Any) -> Iterator[int]:
    """Training whose launcher is killed in the middle of a step."""
    for step in loop.train(*arguments, label=label, **options):
        if (label, step) == (os.environ["LABEL"], int(os.environ["DROP"])):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        yield step


if __name__ == "__main__":
    run(main, Parameters, trains=True)
