"""A stage that fails as the environment says: FAIL is what happens in each process, or in the second one."""

import os
import signal
import time

from pydantic import BaseModel

from stages.pipeline.stage import Run, run
from tinybert.errors import InputError


class Parameters(BaseModel):
    stages: list[str]


def main(p: Parameters, run: Run) -> None:
    if os.environ["FAIL"] == "input":
        raise InputError(f"row 3: expected one of {p.stages}, got nothing")
    if os.environ["FAIL"] == "disk":
        raise OSError(28, "No space left on device", "models/teacher")
    if run.writes:
        time.sleep(60)  # as in waiting for the other
    if os.environ["FAIL"] == "bug":
        raise ZeroDivisionError
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run(main, Parameters, trains=True)
