"""Curves also go, as they grow, to the experiment trackers that an environment variable asks for."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import get_available_trackers

from tinybert.errors import InputError
from tinybert.training.progress import Progress

VARIABLE = "ACCELERATE_LOG_WITH"
"""Names of Accelerate's trackers, such as `mlflow` or `tensorboard,wandb`. No parameter: no result depends on it."""
FOLDER = Path(".state/tracking")
"""Of the trackers that write files of their own, with a folder for each run; ignored by git and by DVC."""


class Tracking:
    """One run of one training, under the training's label: the same training of another `dvc repro` is another run.

    Without VARIABLE all methods do nothing. Raises InputError for a tracker that is unknown, or that does not start.
    One that fails later is left out with a line, since the training is worth more.
    """

    def __init__(self, accelerator: Accelerator, progress: Progress) -> None:
        self._accelerator, self._progress, self._sent = accelerator, progress, 0
        names = [part.strip() for part in os.environ.get(VARIABLE, "").split(",") if part.strip()]
        installed = [str(tracker.value) for tracker in get_available_trackers()]
        for unknown in sorted(set(names) - set(installed)):
            raise InputError(f"environment: {VARIABLE}: {unknown!r} is not installed here, or is no tracker of "
                             f"Accelerate's; installed: {', '.join(installed) or 'none'}")  # fmt: skip
        folder = FOLDER / time.strftime("%Y-%m-%d-%H%M%S")
        accelerator.log_with, accelerator.project_configuration.logging_dir = list[Any](names), str(folder)
        try:
            accelerator.init_trackers(progress.label.replace(" ", "-"))
        except Exception as error:  # each tracker has errors of its own
            raise InputError(f"environment: {VARIABLE}: {', '.join(names)} did not start: {error}") from error

    def send(self, curve: Sequence[dict[str, float]]) -> None:
        """Log the rows that are new; of a resumed run the first time all, so that its curve is whole there too."""
        rows, self._sent = curve[self._sent :], len(curve)
        try:
            for row in rows if self._accelerator.trackers else ():
                self._accelerator.log({name: value for name, value in row.items() if name != "step"}, int(row["step"]))
        except Exception as error:  # each tracker has errors of its own
            self._progress.note(f"{VARIABLE}: tracking ends here: {error}")
            self._accelerator.trackers = []

    def finish(self) -> None:
        """End the run. Accelerator.end_training would end the processes' group too, which a stage still needs."""
        for tracker in self._accelerator.trackers:
            tracker.finish()
        self._accelerator.trackers = []
