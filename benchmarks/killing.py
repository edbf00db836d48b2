"""Run the pipeline while killing it, in an environment unlike that of an undisturbed run."""

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.clones import ENVIRONMENT, Hashes, clone, edit, output_hashes
from benchmarks.kill_schedule import DVC, Kill, Running, Schedule
from stages.pipeline import durations as notes

KINDS = {
    "kill the stage": "SIGKILL to the stage alone",
    "kill dvc": "SIGKILL to dvc alone; the stage has to die with it",
    "terminate": "SIGTERM to all",
    "Ctrl-C": "SIGINT to all",
    "power loss": "SIGKILL to all, and the newest resume point cut at a random byte",
}
SHELLS = ["/bin/sh", "/bin/sh", shutil.which("bash") or "/bin/sh"]
"""DVC starts stages in $SHELL. Debian's sh starts a command as its child, where bash gives way to it."""
MENDED = 3
"""Runs beside those that are killed, of which one has to succeed."""
AFTER = 10.0  # seconds that a process may take to die
GLANCE = 0.05  # seconds between two looks at a run
STARTED = re.compile(r"^Running stage '(.*)'", re.MULTILINE)
RESUMED = re.compile(r": resumes after step \d+/\d+")
DAMAGED = " is damaged ("
CUT_OFF = {
    "dvc.lock' validation failed": "dvc.lock",
    "dvc.lock' is invalid": "dvc.lock",
    "Unable to read RWLock-file": ".dvc/tmp/rwlock",
}
"""Messages of DVC on files of its own that a kill cut off while it wrote them, which it does in place."""


@dataclass
class Record:
    """What happened in all runs of the pipeline."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Kills by kind; so `stages` and `shells`."""
    stages: Counter[str] = field(default_factory=Counter)
    shells: Counter[str] = field(default_factory=Counter)
    resumable: int = 0
    """Kills that left a resume point."""
    resumes: Counter[str] = field(default_factory=Counter)
    """Runs of a stage that went on from a resume point, by stage."""
    damaged: int = 0
    cut_off: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)
    tracebacks: int = 0
    passes: int = 0
    outputs: int = 0
    different: list[str] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)

    def read(self, output: str) -> None:
        """Count what a run of dvc has printed."""
        _, *parts = STARTED.split(output)
        for stage, text in zip(parts[::2], parts[1::2], strict=True):
            self.resumes[base(stage)] += bool(RESUMED.search(text))
        self.damaged += output.count(DAMAGED)
        self.tracebacks += output.count("Traceback (most recent call last)")

    def compare(self, expected: Hashes, hashes: Hashes) -> None:
        """Count the outputs of a run that came to its end."""
        self.passes += 1
        self.outputs += len(expected | hashes)
        self.different += sorted(path for path in expected | hashes if expected.get(path) != hashes.get(path))


def base(stage: str) -> str:
    """`evaluate` of `evaluate@library`."""
    return stage.partition("@")[0]


class Repro:
    """A `dvc repro` that runs, and what it has printed."""

    def __init__(self, project: Path, environment: Mapping[str, str]) -> None:
        # Children of a program that ignores Ctrl-C ignore it too, and so does what a shell starts in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._project, self._lines = project, list[str]()
        self._running, self._lock = Running(DVC, time.time(), None), threading.Lock()
        self.process = subprocess.Popen(
            ["dvc", "repro"], cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace", umask=0o077, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.append(line)
                with self._lock:
                    if started := STARTED.match(line):
                        self._running = Running(started[1], time.time(), None)
                    elif RESUMED.search(line):
                        self._can_be_resumed(time.time())

    def _can_be_resumed(self, since: float) -> None:
        if self._running.resumable_since is None:
            self._running = replace(self._running, resumable_since=since)

    def running(self) -> Running:
        """The stage that runs, as it is now."""
        with self._lock:
            if self._running.stage != DVC:
                saved = max(map(time_of, resume_points(self._project, self._running.stage)), default=0.0)
                if saved > self._running.since:
                    self._can_be_resumed(saved)
            return self._running

    def output(self) -> str:
        """All that was printed, when dvc and its stage have ended."""
        self._reader.join()
        self.process.wait()
        return "".join(self._lines)


def disturbed(
    folder: Path, record: Record, *, kills: int, durations: Mapping[str, float], chance: random.Random,
    changes: Mapping[str, Any] | None = None,
) -> Hashes:  # fmt: skip
    """Run the pipeline in `folder`, an empty place, to its end, killing it at most `kills` times on the way.

    `durations` are the seconds of the stages, undisturbed. `changes` are made to the quick preset, by the paths of
    keys.
    """
    project = clone(folder / "a disturbed clone")
    edit(project, changes or {})
    (project / "dvc.lock").unlink(missing_ok=True)
    schedule = Schedule(kills, durations, kinds=KINDS, chance=chance)
    disturb(project, record, schedule, environment=other_environment(folder), chance=chance)
    return output_hashes((project / "dvc.lock").read_text())


def stage_seconds(project: Path) -> dict[str, float]:
    """How long each stage took when it last ran."""
    return {stage: note["seconds"] for stage, note in notes.read(project / ".state/durations").items()}


def other_environment(folder: Path) -> dict[str, str]:
    """An environment unlike that of the undisturbed run."""
    (folder / "temporary").mkdir(parents=True)
    return ENVIRONMENT | {"PYTHONHASHSEED": "4242", "TMPDIR": str(folder / "temporary"), "USER": "somebody",
                          "LOGNAME": "somebody", "LC_ALL": "C", "TZ": "Asia/Kathmandu"}  # fmt: skip


def disturb(
    project: Path, record: Record, schedule: Schedule, *, environment: Mapping[str, str], chance: random.Random
) -> None:
    """Run the pipeline of `project` to its end, killed as scheduled on the way."""
    for _ in range(2 * len(schedule.pending) + MENDED):
        shell = chance.choice(SHELLS)
        repro = Repro(project, {**environment, "SHELL": shell})
        kill = wait(repro, schedule)
        if kill is not None:
            record.shells[shell] += 1
            carry_out(kill, repro, project, record, chance)
        elif repro.process.returncode:
            mend(project, repro.output(), record)
        record.read(repro.output())
        if kill is None and not repro.process.returncode:
            return
    raise AssertionError(f"never came to its end: {record}")


def wait(repro: Repro, schedule: Schedule) -> Kill | None:
    """Until a kill is due, or None when dvc ends before."""
    while repro.process.poll() is None:
        if kill := schedule.due(repro.running(), time.time()):
            return kill
        time.sleep(GLANCE)
    return None


def carry_out(kill: Kill, repro: Repro, project: Path, record: Record, chance: random.Random) -> None:
    process = psutil.Process(repro.process.pid)
    family = [process, *process.children(recursive=True)]
    record.kinds[kill.kind] += 1
    record.stages[base(kill.stage)] += 1
    record.lost.append(work_since_point(project, family))
    strike(kill.kind, process, family)
    _, alive = psutil.wait_procs(family, timeout=AFTER)
    record.survivors += [f"{kill.kind}: {status}" for status in filter(None, map(status_of, alive))]
    record.resumable += bool(resume_points(project))
    if kill.kind == "power loss":
        cut_newest(project, chance)


def strike(kind: str, process: psutil.Process, family: list[psutil.Process]) -> None:
    """Send the signals of this kind of kill to dvc's `process`, to its stage or to the whole session."""
    if kind == "kill the stage" and (stages := stages_in(family)):
        send(stages[0], signal.SIGKILL)
    elif kind in ("kill the stage", "kill dvc"):
        send(process, signal.SIGKILL)
    else:
        os.killpg(process.pid, {"terminate": signal.SIGTERM, "Ctrl-C": signal.SIGINT}.get(kind, signal.SIGKILL))


def send(process: psutil.Process, number: signal.Signals) -> None:
    """It may have ended meanwhile."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def mend(project: Path, output: str, record: Record) -> None:
    """Remove the file that DVC cannot read; what it knew of results comes back from the run cache."""
    for text, file in CUT_OFF.items():
        if text in output:
            (project / file).unlink()
            record.cut_off[file] += 1
            return
    record.failed.append(output[-2000:])


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
    """Its command line; empty for one that has died since it was listed."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def work_since_point(project: Path, family: list[psutil.Process]) -> float:
    """Seconds that the running stage has worked since it started or saved a resume point; 0 where none runs."""
    started = [process.create_time() for process in stages_in(family)]
    saved = [time_of(point) for point in resume_points(project)]
    return max(0.0, time.time() - max(started + saved)) if started else 0.0


def stages_in(family: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in family[1:] if "stages." in command_of(process)]


def resume_points(project: Path, stage: str = "") -> list[Path]:
    """Those of all stages, or of one."""
    return list((project / ".state/resume" / stage).rglob("*.safetensors"))


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
