"""The set-up of a process."""

import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tinybert.training import devices
from tinybert.training.devices import set_up, spare_memory

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


GIGABYTE = 10**9


@pytest.mark.parametrize(
    ("groups", "limits", "spare"),
    [
        ("0::/\n", {"memory.max": "max"}, 8),
        ("0::/\n", {"memory.max": 9 * GIGABYTE}, 2),
        ("0::/job/step\n", {"job/memory.max": 5 * GIGABYTE, "job/step/memory.max": "max"}, 1),
        ("0::/\n", {"memory.max": GIGABYTE // 2}, 0),
        (None, {}, 8),
    ],
    ids=["no limit", "a container's", "a job's", "less than is taken", "another system"],
)
def test_a_quarter_of_the_free_memory_is_spare_and_a_control_group_limits_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, groups: str | None, limits: dict[str, object], spare: int
) -> None:
    for name, limit in limits.items():
        (tmp_path / "v2" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "v2" / name).write_text(f"{limit}\n")
    if groups:
        (tmp_path / "cgroup").write_text(groups)
    monkeypatch.setattr(devices, "CONTROL_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(devices, "MEMORY_LIMITS", ((tmp_path / "v2", "memory.max"),))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=32 * GIGABYTE))
    taken = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=GIGABYTE))
    monkeypatch.setattr(psutil, "Process", lambda: taken)
    accelerator = set_up(threads=1, precision="float32", cpu=True)
    assert spare_memory(accelerator) == spare * GIGABYTE
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert spare_memory(accelerator) == spare * GIGABYTE // 2
