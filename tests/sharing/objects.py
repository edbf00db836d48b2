"""What lies on a remote, as its administrator sees it: read, harmed, and limited in size."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from tests.disk import small_disk


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
