"""Locks and deaths, with real processes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.pipeline.stage import STATE, exclusive
from tinybert.errors import InputError

ROOT = Path(__file__).parents[3]
HOLD = """
import time
from stages.pipeline.stage import exclusive
with exclusive("shrink"):
    print("held", flush=True)
    time.sleep(60)
"""
CHILD = """
import signal, time
from stages.pipeline.processes import die_with_parent
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


def started(script: str, *arguments: str, folder: Path = ROOT) -> tuple[subprocess.Popen[str], str]:
    """The process and its first line."""
    command = [sys.executable, "-c", script, *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    process.stdout.close()
    return process, line


def test_a_second_writer_is_refused_until_the_first_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    holder, line = started(HOLD, folder=tmp_path)
    try:
        assert line == "held"
        with pytest.raises(InputError) as caught, exclusive("shrink"):
            pass
        assert str(caught.value) == "stage shrink is already running in another process; wait until it ends"
        with exclusive("distill"):
            pass  # another stage is free
    finally:
        holder.kill()
        holder.wait()
    with exclusive("shrink"):
        assert (tmp_path / STATE / "locks/shrink.lock").exists()


def test_a_lock_is_free_when_its_block_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with exclusive("shrink"):
            with pytest.raises(InputError), exclusive("shrink"):
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
