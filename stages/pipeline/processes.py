"""The processes of a stage: it dies with dvc, and each of a training finds its parameters and knows whether it writes.

The process that DVC has started reads, locks and checks, and starts the others (launching.py), which do the stage's
work. What they share lies in one folder: content.json, the heartbeat of the first process, and the error of one.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tinybert.errors import InputError

LAUNCHED = "--launched"
"""Argument before the folder, of a process that `launching.start` has started."""
CONTENT, HEARTBEAT, ERROR = "content.json", "heartbeat", "error"
BEAT = 1.0
"""Seconds between two beats, and between two looks at them."""
SILENCE = 20
"""Looks after which a process whose heartbeat stands still ends itself: on other machines no signal reaches it."""
RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
"""Environment variables of torch's launchers, Open MPI and MPICH."""


def received() -> dict[str, Any] | None:
    """What `launching.start` passes on, in a process that it has started; None elsewhere."""
    folder = _folder()
    return json.loads((folder / CONTENT).read_text(encoding="utf-8")) if folder else None


def is_main() -> bool:
    """Whether this process prints and writes, for all."""
    return int(next((os.environ[name] for name in RANKS if name in os.environ), 0)) == 0


def report(error: InputError) -> None:
    """Tell the process that has started this one, unless another one was the first to fail."""
    folder = _folder()
    assert folder is not None
    with suppress(OSError), open(folder / ERROR, "x", encoding="utf-8") as file:
        file.write(str(error))


def leave() -> None:
    """Destroy the process group."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _folder() -> Path | None:
    return Path(sys.argv[2]) if sys.argv[1:2] == [LAUNCHED] else None


@contextmanager
def heartbeat(folder: Path) -> Iterator[None]:
    """Beat in a thread, in the process that starts the others."""
    ended = threading.Event()

    def beat() -> None:
        count = 0
        while not ended.wait(BEAT):
            count += 1
            with suppress(OSError):
                (folder / HEARTBEAT).write_text(str(count))

    thread = threading.Thread(target=beat, daemon=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HEARTBEAT).write_text("0")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def end_without_heartbeat(folder: Path | None = None) -> None:
    """End this process when the one that has started it, perhaps from another machine, is gone; watch in a thread.

    Looks are counted, not seconds: where all processes were stopped and go on, none is taken for gone.
    """
    folder = folder or _folder()
    if folder is not None and (folder / HEARTBEAT).exists():
        threading.Thread(target=_watch, args=(folder / HEARTBEAT,), daemon=True).start()


def _watch(file: Path) -> None:
    last, looks = "", 0
    while looks < SILENCE:
        time.sleep(BEAT)
        now = last
        with suppress(OSError):
            now = file.read_text()
        looks = looks + 1 if now == last else 0
        last = now
    os.kill(os.getpid(), signal.SIGKILL)


PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int | None = None) -> None:
    """Ask Linux for SIGKILL when the parent ends, so that a killed `dvc` leaves no writer behind. Nothing elsewhere.

    `parent` is its process number, where that is known: only then is it seen that it has ended before this call.
    The parent is dvc itself since dvc.yaml starts a stage with `exec`, in the place of the shell.
    SIGTERM would not do: a program that was started where it is ignored, as some services do, ignores it too.
    """
    if sys.platform != "linux":
        return
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the process that started this stage is gone")
