"""A disk that is soon full."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], object]]:
    """A file system of `size` bytes in the place of `folder`, ten times as large after a call. Skips without root."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "small", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield lambda: subprocess.run(["mount", "-o", f"remount,size={10 * size}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
