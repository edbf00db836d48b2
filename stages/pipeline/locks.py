"""One writer for each output: a lock that the kernel drops when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.pipeline.errors import InputError


@contextmanager
def only_writer(name: str, *, folder: Path) -> Iterator[None]:
    """Holds `folder`/`name`.lock. Raises InputError when another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            raise InputError(f"stage {name} is already running (process {holder}); wait until it ends") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
