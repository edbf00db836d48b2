"""Locks and deaths, with real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.pipeline.errors import InputError
from stages.pipeline.locks import only_writer

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from stages.pipeline.locks import only_writer
with only_writer("shrink", folder=Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
CHILD = """
import signal, time
from stages.pipeline.parent import die_with_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
die_with_parent()
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def started(script: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """The process and its first line."""
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    process.stdout.close()
    return process, line


def test_a_second_writer_is_refused_until_the_first_dies(tmp_path: Path):
    holder, line = started(HOLD, str(tmp_path))
    try:
        assert line == "held"
        with pytest.raises(InputError) as caught, only_writer("shrink", folder=tmp_path):
            pass
        assert str(caught.value) == f"stage shrink is already running (process {holder.pid}); wait until it ends"
        with only_writer("distill", folder=tmp_path):
            pass  # another stage is free
    finally:
        holder.kill()
        holder.wait()
    with only_writer("shrink", folder=tmp_path):
        assert (tmp_path / "shrink.lock").read_text() == str(os.getpid())


def test_a_lock_is_free_when_its_block_has_ended(tmp_path: Path):
    for _ in range(2):
        with only_writer("shrink", folder=tmp_path / "new"):
            with pytest.raises(InputError), only_writer("shrink", folder=tmp_path / "new"):
                pass


def is_running(process: int) -> bool:
    """False for one that is dead and only waits to be collected too."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_stage_dies_with_the_process_that_started_it():
    parent, line = started(PARENT, CHILD)
    child = int(line)
    assert is_running(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 10
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_running(child)
