"""Real environment errors, on a small scale, are told apart from bugs."""

import resource
import signal
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from tinybert.errors import explain


def test_a_full_device_is_explained_for_python_and_for_safetensors():
    with pytest.raises(OSError) as caught, open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    assert explain(caught.value) == "no space left on the device"
    error = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert explain(error) == "no space left on the device"


def test_a_file_above_the_size_limit_is_explained_and_one_that_may_not_be_written_is_named(tmp_path: Path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(SafetensorError) as caught:
            save_file({"x": torch.zeros(100)}, tmp_path / "weights")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert explain(caught.value) == "the file is larger than this system allows"
    assert explain(PermissionError(13, "Permission denied", "models/x")) == "permission denied: models/x"


def test_missing_memory_is_explained_for_python_and_for_torch():
    with pytest.raises(MemoryError) as python:
        bytearray(1 << 62)
    with pytest.raises(RuntimeError) as by_torch:
        torch.empty(1 << 50, dtype=torch.uint8)
    for caught in (python, by_torch):
        assert str(explain(caught.value)).startswith("not enough memory (")


@pytest.mark.parametrize("error", [ValueError("no"), RuntimeError("shapes"), FileNotFoundError(2, "No such file", "x")])
def test_a_bug_is_not_explained(error: Exception):
    assert explain(error) is None
