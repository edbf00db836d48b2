"""What lies on a remote, as its administrator sees it: read, harmed, and limited in size."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest


def key(digest: str, prefix: str = ".") -> str:
    """Where DVC puts the object with this md5 on a remote that begins with `prefix`."""
    return Path(prefix, "files/md5", digest[:2], digest[2:]).as_posix()


class Objects(Protocol):
    def create(self) -> None:
        """Make the place, while the server runs."""

    def fresh(self, name: str) -> "Objects":
        """Another place on the same server, empty."""
        ...

    def has(self, digest: str) -> bool: ...

    def read(self, digest: str) -> bytes: ...

    def write(self, digest: str, content: bytes) -> None: ...

    def remove(self, digest: str) -> None: ...

    def room(self, size: int) -> AbstractContextManager[Callable[[], object]]:
        """For a while there is room for `size` more bytes, until what this gives is called."""
        ...


class Folder:
    """Objects as files."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> None:
        self._path.mkdir()
        owner = self._path.parent.stat()
        os.chown(self._path, owner.st_uid, owner.st_gid)

    def fresh(self, name: str) -> "Folder":
        other = Folder(self._path.with_name(name))
        other.create()
        return other

    def has(self, digest: str) -> bool:
        return (self._path / key(digest)).exists()

    def read(self, digest: str) -> bytes:
        return (self._path / key(digest)).read_bytes()

    def write(self, digest: str, content: bytes) -> None:
        file = self._path / key(digest)
        file.chmod(0o644)
        file.write_bytes(content)

    def remove(self, digest: str) -> None:
        (self._path / key(digest)).unlink()

    def room(self, size: int) -> AbstractContextManager[Callable[[], object]]:
        return small_disk(self._path, size)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], object]]:
    """A file system of `size` bytes in the place of `folder`, until what this gives is called. For root; else skips."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "small", str(folder)]
    if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield lambda: subprocess.run(["mount", "-o", f"remount,size={10 * size}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
