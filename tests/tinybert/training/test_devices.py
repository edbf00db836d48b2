"""The set-up of a process."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from tinybert.training.devices import KEEP_FREED, tune_glibc
if sys.argv[1] == "keep":
    tune_glibc(KEEP_FREED)
for _ in range(3):
    torch.ones(2**24)
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_not_cleared_and_mapped_again():
    kept, default = (
        int(subprocess.run([sys.executable, "-c", FAULTS, mode], check=True, capture_output=True, text=True).stdout)
        for mode in ("keep", "default")
    )
    assert kept < 100 and default > 10 * kept
