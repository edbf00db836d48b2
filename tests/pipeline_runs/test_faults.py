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

from benchmarks.clones import ENVIRONMENT, output_hashes, run
from benchmarks.killing import AFTER, Record, command_of, disturbed, resume_points, stage_seconds, status_of
from stages.parameters.validation import read_file
from stages.pipeline.dependencies import content_hash

pytestmark = pytest.mark.dvc


TASK = "answers"
"""The one task of the disturbed run, whose trainings are the longest."""
WHOLE = ("plan", "report")
"""Stages that write of all tasks at once."""


def test_a_run_that_is_killed_ten_times_has_the_same_bytes(project: Path, tmp_path: Path) -> None:
    record, tasks = Record(), read_file(project / "params.yaml")["tasks"]
    others = tasks.keys() - {TASK}
    seconds = {name: time for name, time in stage_seconds(project).items() if not any(task in name for task in others)}
    only = {"tasks": {TASK: tasks[TASK]}}
    hashes = disturbed(tmp_path, record, kills=10, durations=seconds, chance=random.Random(3), changes=only)
    undisturbed = output_hashes(run(project, "git", "show", "HEAD:dvc.lock"), without=WHOLE)
    expected = {path: md5 for path, md5 in undisturbed.items() if not any(f"/{task}" in path for task in others)}
    assert {path: hashes.get(path) for path in expected} == expected
    assert f"models/tasks/{TASK}/students/small" in expected and len(expected) > 20
    for file in (project / "reports/metrics" / TASK).iterdir():  # by the report
        assert (tmp_path / "a disturbed clone" / file.relative_to(project)).read_bytes() == file.read_bytes()
    assert record.kinds.total() >= 8
    assert record.resumes.total() >= 6, record
    assert (record.survivors, record.failed, record.tracebacks) == ([], [], 0)


def test_a_process_that_has_ended_has_no_command() -> None:
    """Nor has a zombie: a stage may end between two looks at it."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(ended.pid)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert (process.status(), command_of(process)) == (psutil.STATUS_ZOMBIE, "")
    ended.wait()
    assert command_of(process) == ""


def test_a_training_dies_with_dvc_in_any_shell_and_resumes(project: Path) -> None:
    """Debian's sh starts a command as its child, where bash gives way to it."""
    expected = content_hash(project / "models/teacher")
    command = ("dvc", "repro", "--force", "--single-item", "pretrain")
    environment = ENVIRONMENT | {"SHELL": "/bin/sh"}
    first = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    while not resume_points(project):
        assert first.poll() is None, "it ended before it had a resume point"
        time.sleep(0.01)
    below = psutil.Process(first.pid).children(recursive=True)
    assert below
    first.kill()
    first.wait()
    alive = psutil.wait_procs(below, timeout=AFTER)[1]
    assert [status for status in map(status_of, alive) if status] == []
    assert "pretrain: resumes after step" in run(project, *command)
    assert content_hash(project / "models/teacher") == expected
