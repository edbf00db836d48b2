"""Killed some ten times in another folder and environment, the pipeline ends with the bytes of the undisturbed run.

The long form of this is `python -m benchmarks.faults`.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.killing import AFTER, Found, command_of, disturbed, resume_points, status_of
from stages.pipeline.drift import content_hash
from tests.pipeline_runs.clone import ENVIRONMENT, output_hashes, run

pytestmark = pytest.mark.dvc


def test_a_run_that_was_killed_again_and_again_has_the_same_bytes(project: Path, tmp_path: Path) -> None:
    found = Found()
    hashes = disturbed(tmp_path, found, kills=10, chance=random.Random(3))
    assert hashes == output_hashes(run(project, "git", "show", "HEAD:dvc.lock"))
    assert sum(found.kills.values()) >= 8
    assert (found.survivors, found.failed, found.tracebacks) == ([], [], 0)


def test_a_process_that_has_ended_has_no_command() -> None:
    """One that nobody has collected yet has none either: a stage may end between its listing and the question."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(ended.pid)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert (process.status(), command_of(process)) == (psutil.STATUS_ZOMBIE, "")
    ended.wait()
    assert command_of(process) == ""


def test_a_training_dies_with_dvc_in_any_shell_and_goes_on_from_its_resume_point(project: Path) -> None:
    """Debian's sh starts a command as its child, where bash gives way to it."""
    wanted = content_hash(project / "models/teacher")
    command = ("dvc", "repro", "--force", "--single-item", "pretrain")
    environment = ENVIRONMENT | {"SHELL": "/bin/sh"}
    first = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    while not resume_points(project):
        assert first.poll() is None, "it ended before it had saved"
        time.sleep(0.01)
    below = psutil.Process(first.pid).children(recursive=True)
    assert below
    first.kill()
    first.wait()
    alive = psutil.wait_procs(below, timeout=AFTER)[1]
    assert [who for who in map(status_of, alive) if who] == []
    assert "pretrain: goes on after step" in run(project, *command)
    assert content_hash(project / "models/teacher") == wanted
