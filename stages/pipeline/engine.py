"""datatrove's executors, for steps of tasks: processes of this machine or, by compute.local.yaml, jobs of Slurm."""

import hashlib
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from loguru import logger

from stages.parameters.section import ROOT
from stages.pipeline import processes
from stages.pipeline.local import FILE, read_local
from tinybert.errors import InputError
from tinybert.training.progress import log

POLL = 2.0
"""Seconds between two looks at jobs."""


def run_step(name: str, tasks: int, pipeline: list[Any], *, folder: Path) -> None:
    """Run the tasks that `folder`, which keeps their logs, does not say to be done.

    Raises InputError where a task does, or where one ends without being done.
    """
    preparation, start = read_local().preparation, time.monotonic()
    _allow_files()
    logger.remove()
    if preparation.slurm is None:
        _Processes(
            pipeline, tasks=tasks, workers=min(preparation.workers, tasks), logging_dir=str(folder / name)
        ).run()  # fmt: skip
    else:
        _run_jobs(name, tasks, pipeline, folder, workers=preparation.workers, options=preparation.slurm)
    log(f"{name}: {tasks} tasks, {time.monotonic() - start:.1f} s")


def _allow_files() -> None:
    """As many as the system does: signatures of all parts are open at once."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Synced:
    """What a task has written is on the disk before it is said to be done."""

    def mark_rank_as_completed(self, rank: int) -> None:
        os.sync()
        super().mark_rank_as_completed(rank)  # pyright: ignore[reportAttributeAccessIssue]


class _Processes(_Synced, LocalPipelineExecutor):
    """Its tasks' logs go to their files alone, and a worker that is killed ends the run.

    datatrove's own pool waits for the task of a killed worker for ever.
    """

    def run(self) -> None:
        ranks = self.get_incomplete_ranks()
        if self.workers == 1:
            for rank in ranks:
                self._run_for_rank(rank)
            return
        # Spawned, so that each is a child of this process, and dies with it.
        context, own = get_context("spawn"), (os.getpid(),)
        with ProcessPoolExecutor(self.workers, context, processes.die_with_parent, own) as pool:
            try:
                for task in as_completed([pool.submit(self._run_for_rank, rank) for rank in ranks]):
                    task.result()
            except BrokenProcessPool:
                raise InputError("a worker process was killed, perhaps for its memory; try fewer workers") from None
            finally:
                pool.shutdown(cancel_futures=True)

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        with open(os.devnull, "w") as nothing, redirect_stderr(nothing):
            try:
                return super()._run_for_rank(rank, local_rank, node_rank)
            finally:
                logger.remove()


class _Jobs(_Synced, SlurmPipelineExecutor):
    def launch_merge_stats(self) -> None:
        """No job that sums up statistics: it would wait for ever where a task has failed."""


def _run_jobs(
    name: str, tasks: int, pipeline: list[Any], folder: Path, *, workers: int, options: dict[str, Any]
) -> None:
    # Of this folder of this clone, so that jobs of a killed run are found again, and no others.
    job = f"tinybert-{name}-{hashlib.blake2b(str(folder.resolve()).encode(), digest_size=6).hexdigest()}"
    path = f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={ROOT}"
    _end(job)
    with processes.heartbeat(folder):
        try:
            executor = _Jobs(
                [partial(_watch, folder), *pipeline], tasks=tasks, workers=workers, job_name=job,
                logging_dir=str(folder / name), env_command=path, **options,
            )  # fmt: skip
            executor.run()
            while executor.get_incomplete_ranks() and _is_queued(job):
                time.sleep(POLL)
        except (TypeError, OSError, subprocess.CalledProcessError) as error:
            raise InputError(f"{FILE}, preparation.slurm: {error}") from None
        finally:
            _end(job)
    if missing := executor.get_incomplete_ranks():
        log_file = folder / name / "logs" / f"task_{missing[0]:05d}.log"
        raise InputError(f"{len(missing)} of {tasks} Slurm tasks of {name} are not done; see {log_file}")


def _watch(folder: Path, data: Any, rank: int = 0, world_size: int = 1) -> None:
    """In a job: it ends soon after this process."""
    processes.end_without_heartbeat(folder)


def _end(job: str) -> None:
    _slurm("scancel", "--me", f"--jobname={job}")
    while _is_queued(job):
        time.sleep(POLL)


def _is_queued(job: str) -> bool:
    return bool(_slurm("squeue", "--me", f"--name={job}", "--noheader"))


def _slurm(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise InputError(f"{FILE}, preparation.slurm: {command[0]} has failed: {said.strip()}") from None
