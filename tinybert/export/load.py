"""Whether other programs compete for the processor while something is timed.

Two threads that wait for each other on a shared core make a model many times slower, and a ratio of two such times
means nothing. What tells is both that this process was interrupted and that others computed.
"""

import resource
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
TICKS = 100.0
"""Of Linux in a second, whatever the kernel's own."""
IDLE = (3, 4)
"""Columns of /proc/stat that are not work: idle, and waiting for input and output."""
WORKING = slice(0, 8)
"""User, nice, system, idle, iowait, irq, softirq, steal; guests are in user already."""
INTERRUPTIONS, CORES = 5.0, 0.2
"""By others, in a second, above which a time is disturbed: involuntary switches, and cores that others keep busy."""


@dataclass(frozen=True)
class Clock:
    """Of one moment: wall clock and this process's CPU time, in seconds, its involuntary switches, and work of all."""

    wall: float
    own: float
    switches: int
    everyone: float | None
    """CPU seconds of all processes; None where the system does not tell."""


def now() -> Clock:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Clock(time.perf_counter(), time.process_time(), usage.ru_nivcsw, _everyone())


def _everyone() -> float | None:
    if not STAT.exists():
        return None
    columns = [float(value) for value in STAT.read_text(encoding="ascii").splitlines()[0].split()[1:]][WORKING]
    return sum(value for n, value in enumerate(columns) if n not in IDLE) / TICKS


def is_disturbed(start: Clock, end: Clock) -> bool:
    """Whether others took part in the time between two moments."""
    seconds = max(end.wall - start.wall, 1e-9)
    if (end.switches - start.switches) / seconds <= INTERRUPTIONS:
        return False
    if start.everyone is None or end.everyone is None:
        return True
    others = end.everyone - start.everyone - (end.own - start.own)
    return others / seconds > CORES
