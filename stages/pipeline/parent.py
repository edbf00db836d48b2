"""Die with the process that started this one."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent ends, so that a killed `dvc` leaves no writer behind. Nothing elsewhere.

    The parent is dvc itself since dvc.yaml starts a stage with `exec`, in the place of the shell.
    SIGTERM would not do: a program that was started where it is ignored, as some services do, ignores it too.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the process that started this stage is gone")
