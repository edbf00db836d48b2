"""Atomic outputs: a file or folder appears whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A place to write the output `path` to, a file or a folder; it is moved to `path` when the block ends well.

    The place is beside `path`, so that the move is one rename on one file system. What a killed run left there is
    removed first, and an error inside the block leaves `path` as it was.
    """
    final = Path(path)
    partial = final.parent / f".{final.name}.partial"
    final.parent.mkdir(parents=True, exist_ok=True)
    remove(partial)
    try:
        yield partial
        _sync(partial)
    except BaseException:  # whatever ends the block, Ctrl-C too; it is raised again
        remove(partial)
        raise
    if final.is_dir():
        shutil.rmtree(final)
    os.replace(partial, final)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """`atomic_file` for a folder, made already."""
    with atomic_file(path) as partial:
        partial.mkdir()
        yield partial


def remove(path: Path) -> None:
    """A file, a folder with all in it, or nothing."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the bytes on the disk before the name points to them."""
    for file in [path, *(path.rglob("*") if path.is_dir() else [])]:
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
