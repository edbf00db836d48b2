"""datatrove's executors, for steps of tasks: processes of this machine or, by compute.local.yaml, jobs of Slurm."""

import os
import subprocess
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from loguru import logger

from stages.parameters.section import ROOT
from stages.pipeline.local import FILE, Preparation, read_local
from stages.pipeline.processes import die_with_parent
from tinybert.errors import InputError
from tinybert.training.progress import log

# Python starts a server for datatrove's queues by a fork, and would leave it behind after a kill of this process.
os.register_at_fork(after_in_child=die_with_parent)
POLL = 2.0
"""Seconds between two looks at jobs."""


class _Quiet(LocalPipelineExecutor):
    """Its tasks' logs go to their files alone; by itself, those of one worker are printed too."""

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        with open(os.devnull, "w") as nothing, redirect_stderr(nothing):
            stats = super()._run_for_rank(rank, local_rank, node_rank)
            logger.remove()
            return stats


def run_step(name: str, tasks: int, pipeline: list[Any], *, folder: Path) -> None:
    """Run the tasks that `folder`, which keeps their logs, does not say to be done.

    Raises InputError where a task does, or where a job ends without its task being done.
    """
    preparation, start = read_local().preparation, time.monotonic()
    logger.remove()
    if preparation.slurm is None:
        workers = min(preparation.workers, tasks)
        _Quiet(pipeline, tasks=tasks, workers=workers, logging_dir=str(folder / name), start_method="spawn").run()
    else:
        _run_jobs(name, tasks, pipeline, folder, preparation)
    log(f"{name}: {tasks} tasks, {time.monotonic() - start:.1f} s")


def _run_jobs(name: str, tasks: int, pipeline: list[Any], folder: Path, preparation: Preparation) -> None:
    # By the folder, which is another one for other data and settings: jobs of a killed run are found again.
    job = f"tinybert-{name}-{folder.parent.name[:12]}"
    path = f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={ROOT}"
    try:
        executor = SlurmPipelineExecutor(
            pipeline, tasks=tasks, workers=preparation.workers, job_name=job, logging_dir=str(folder / name),
            env_command=path, **preparation.slurm or {},
        )  # fmt: skip
    except TypeError as error:
        raise InputError(f"{FILE}, preparation.slurm: {error}") from None
    _slurm("scancel", f"--jobname={job}")
    executor.run()
    try:
        _wait(executor, job)
    finally:
        _slurm("scancel", f"--jobname={job}")  # also the one that would sum up statistics
    if missing := executor.get_incomplete_ranks():
        raise InputError(f"{len(missing)} of {tasks} Slurm tasks of {job} have failed; see {folder / name}")


def _wait(executor: SlurmPipelineExecutor, job: str) -> None:
    """Until all tasks are done, or no job is left that would do one."""
    while executor.get_incomplete_ranks() and _slurm("squeue", f"--name={job}", "--noheader"):
        time.sleep(POLL)


def _slurm(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise InputError(f"{FILE}, preparation.slurm: {command[0]} has failed: {said.strip()}") from None
