"""Locks and signals, with real processes. That a stage dies with dvc is in tests/pipeline_runs/test_faults.py."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.clones import ROOT
from stages.pipeline.stage import STATE, exclusive
from tinybert.errors import InputError

HOLD = """
import time
from stages.pipeline.stage import exclusive
with exclusive("shrink"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_until_the_first_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(InputError) as caught, exclusive("shrink"):
            pass
        with exclusive("distill"):
            pass  # another stage is free
        holder.kill()
    expected = "already running in another process, or is trained along by one; wait until it ends"
    assert str(caught.value) == f"stage shrink is {expected}"
    for _ in range(2):
        with exclusive("shrink"):
            assert (tmp_path / STATE / "locks/shrink.lock").exists()
            with pytest.raises(InputError), exclusive("shrink"):
                pass


def test_ctrl_c_ends_a_stage_at_once_even_while_it_imports():
    command = [sys.executable, "-c", "import stages, signal; signal.raise_signal(signal.SIGINT)"]
    environment = os.environ | {"DVC_STAGE": "pretrain"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (-signal.SIGINT, "")
