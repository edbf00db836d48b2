"""Run the pipeline while killing it at random moments, in an environment unlike that of an undisturbed run."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.bad_input.project import edit
from tests.pipeline_runs.clone import ENVIRONMENT, Hashes, clone, output_hashes

LONGEST_WAIT = 18.0  # seconds from the start of `dvc repro` to a kill
KINDS = {
    "kill the stage": "SIGKILL to the stage alone",
    "kill dvc": "SIGKILL to dvc alone; the stage has to die with it",
    "terminate": "SIGTERM to all",
    "Ctrl-C": "SIGINT to all",
    "power loss": "SIGKILL to all, and the newest resume point cut at a random byte",
}
MENDED = 3
"""Runs at the end that are not killed, of which one has to succeed."""
AFTER = 10.0  # seconds that a process may take to die
CUT_OFF = {
    "dvc.lock' validation failed": "dvc.lock",
    "dvc.lock' is invalid": "dvc.lock",
    "Unable to read RWLock-file": ".dvc/tmp/rwlock",
}
"""What DVC says of a file of its own that it was killed in the middle of writing, which it does in place."""


@dataclass
class Found:
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    stages: dict[str, int] = field(default_factory=dict)
    resumed: int = 0
    damaged: int = 0
    cut_off: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CUT_OFF.values(), 0))
    failed: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)
    tracebacks: int = 0
    passes: int = 0
    outputs: int = 0
    different: list[str] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)

    def read(self, output: str) -> None:
        self.resumed += output.count(": goes on after step ")
        self.damaged += output.count(" is damaged (")
        self.tracebacks += output.count("Traceback (most recent call last)")


def other_environment(folder: Path) -> dict[str, str]:
    """An environment unlike that of the undisturbed run."""
    (folder / "temporary").mkdir(parents=True)
    return ENVIRONMENT | {"PYTHONHASHSEED": "4242", "TMPDIR": str(folder / "temporary"), "USER": "somebody", "LOGNAME":
                          "somebody", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "SHELL": "/bin/sh"}  # fmt: skip


def disturbed(
    folder: Path, found: Found, *, kills: int, chance: random.Random, changes: dict[str, Any] | None = None
) -> Hashes:
    """Run the pipeline in `folder`, an empty place, to its end, killing it at most `kills` times on the way.

    `changes` are made to the quick preset, by the paths of keys.
    """
    project = clone(folder / "a disturbed clone")
    if changes:
        edit(project, changes)
    environment = other_environment(folder)
    for tried in range(kills + MENDED):
        wait = chance.uniform(1.0, LONGEST_WAIT) if tried < kills else None
        if attempt(start(project, environment), project, found, wait=wait, chance=chance):
            break
    else:
        raise AssertionError(f"never came to its end: {found}")
    return output_hashes((project / "dvc.lock").read_text())


def attempt(
    process: subprocess.Popen[str], project: Path, found: Found, *, wait: float | None, chance: random.Random
) -> bool:
    """Kill a `dvc repro` after `wait` seconds; whether it came to a good end before that."""
    try:
        output = process.communicate(timeout=wait)[0]
        found.read(output)
        if process.returncode:
            mend(project, output, found)
        return process.returncode == 0
    except subprocess.TimeoutExpired:
        kind = chance.choice(list(KINDS))
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        lost = work_since_point(project, family)
        kill(kind, process, family)
        _, alive = psutil.wait_procs(family, timeout=AFTER)
        found.survivors += [f"{kind}: {who}" for who in filter(None, map(status_of, alive))]
        output = process.communicate()[0]
        found.read(output)
        note(found, kind, output, lost=lost)
        if kind == "power loss":
            cut_newest(project, chance)
        return False


def mend(project: Path, output: str, found: Found) -> None:
    """Remove the file that DVC cannot read; what it knew of results comes back from the run cache."""
    for text, file in CUT_OFF.items():
        if text in output:
            (project / file).unlink()
            found.cut_off[file] += 1
            return
    found.failed.append(output[-2000:])


def status_of(process: psutil.Process) -> str | None:
    """What it does and its command; None for one that is dead.

    One that only waits to be collected is dead, as orphans stay where the first process never collects them.
    """
    try:
        status = process.status()
        return None if status == psutil.STATUS_ZOMBIE else f"{status} {command_of(process)}"
    except psutil.NoSuchProcess:
        return None


def command_of(process: psutil.Process) -> str:
    """Its command line; empty for one that is dead, which one of a listing may be by the time that it is asked."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def start(project: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    # Children of a program that ignores Ctrl-C ignore it too, and so does what a shell starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(["dvc", "repro"], cwd=project, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, umask=0o077, start_new_session=True)  # fmt: skip


def kill(kind: str, process: subprocess.Popen[str], family: list[psutil.Process]) -> None:
    stages = stages_in(family)
    if kind == "kill the stage" and stages:
        with contextlib.suppress(psutil.NoSuchProcess):
            stages[0].kill()
    elif kind == "kill dvc":
        process.kill()
    elif kind == "terminate":
        os.killpg(process.pid, signal.SIGTERM)
    elif kind == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.killpg(process.pid, signal.SIGKILL)


def work_since_point(project: Path, family: list[psutil.Process]) -> float:
    """Seconds that the running stage has worked since it started or saved a resume point; 0 where none runs."""
    started = [one.create_time() for one in stages_in(family)]
    saved = [time_of(point) for point in resume_points(project)]
    return max(0.0, time.time() - max(started + saved)) if started else 0.0


def stages_in(family: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in family[1:] if "stages." in command_of(one)]


def note(found: Found, kind: str, output: str, *, lost: float) -> None:
    found.kills[kind] += 1
    running = re.findall(r"^Running stage '(.*)'", output, flags=re.MULTILINE)
    stage = running[-1].partition("@")[0] if running else "(dvc itself)"
    found.stages[stage] = found.stages.get(stage, 0) + 1
    found.lost.append(lost)


def resume_points(project: Path) -> list[Path]:
    return list((project / ".state/resume").rglob("*.safetensors"))


def time_of(point: Path) -> float:
    """When it was saved; 0 for one that a running stage has since removed."""
    try:
        return point.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def cut_newest(project: Path, chance: random.Random) -> None:
    if points := resume_points(project):
        newest = max(points, key=time_of)
        os.truncate(newest, chance.randrange(newest.stat().st_size))
