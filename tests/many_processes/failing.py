"""A stage that fails as the environment says: FAIL is what happens in each process, or in the second one."""

import os
import signal
import time

from pydantic import BaseModel

from stages.pipeline.errors import InputError
from stages.pipeline.stage import Run, run


class Parameters(BaseModel):
    stages: list[str]


def main(p: Parameters, run: Run) -> None:
    if os.environ["FAIL"] == "input":
        raise InputError(f"row 3 is empty; wanted is one of {p.stages}")
    if os.environ["FAIL"] == "disk":
        raise OSError(28, "No space left on device", "models/teacher")
    if run.writes:
        time.sleep(60)  # as in waiting for the other
    if os.environ["FAIL"] == "bug":
        raise ZeroDivisionError
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run(main, Parameters, trains=True)
