"""Kill the pipeline at random moments, run it again, and compare every output with those of an undisturbed run.

`python -m benchmarks.faults --kills 100` writes benchmarks/faults.md. The disturbed runs differ from the undisturbed
one in folder, hash seed, temporary folder, user name, locale, time zone and umask too.
"""

import argparse
import os
import platform
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.pipeline_runs.clone import ENVIRONMENT, ROOT, Hashes, clone, output_hashes

LONGEST_WAIT = 18.0  # seconds from the start of `dvc repro` to a kill
KINDS = {
    "kill the stage": "SIGKILL to the stage alone",
    "kill dvc": "SIGKILL to dvc alone; the stage has to die with it",
    "terminate": "SIGTERM to all",
    "Ctrl-C": "SIGINT to all",
    "power loss": "SIGKILL to all, and the newest resume point cut at a random byte",
}
AFTER = 10.0  # seconds that a process may take to die
CUT_LOCK = ("dvc.lock' validation failed", "dvc.lock' is invalid")
"""What DVC says of a dvc.lock that it was killed in the middle of writing, which it does in place."""


@dataclass
class Found:
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    stages: dict[str, int] = field(default_factory=dict)
    resumed: int = 0
    damaged: int = 0
    cut_locks: int = 0
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
                          "somebody", "LC_ALL": "C", "TZ": "Asia/Kathmandu"}  # fmt: skip


def disturbed(folder: Path, found: Found, *, kills: int, chance: random.Random) -> Hashes:
    """Run the pipeline in `folder`, an empty place, to its end, killing it at most `kills` times on the way."""
    project = clone(folder / "a disturbed clone")
    environment = other_environment(folder)
    for _ in range(kills):
        if attempt(project, environment, found, chance=chance):
            break
    else:
        end = start(project, environment)
        output = end.communicate()[0]
        found.read(output)
        assert end.returncode == 0, output[-4000:]
    return output_hashes((project / "dvc.lock").read_text())


def attempt(project: Path, environment: dict[str, str], found: Found, *, chance: random.Random) -> bool:
    """One `dvc repro`, killed after a random time; whether it came to its end before that."""
    process = start(project, environment)
    try:
        output = process.communicate(timeout=chance.uniform(1.0, LONGEST_WAIT))[0]
        if any(text in output for text in CUT_LOCK):
            found.cut_locks += 1
            (project / "dvc.lock").unlink()  # what DVC knows comes back from its run cache
            return False
        assert process.returncode == 0, output[-4000:]
        found.read(output)
        return True
    except subprocess.TimeoutExpired:
        kind = chance.choice(list(KINDS))
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        when = time.time()
        kill(kind, process, family)
        _, alive = psutil.wait_procs(family, timeout=AFTER)
        found.survivors += [f"{kind}: {who}" for who in filter(None, map(status_of, alive))]
        output = process.communicate()[0]
        found.read(output)
        note(project, found, kind, output, when=when)
        if kind == "power loss":
            cut_newest(project, chance)
        return False


def status_of(process: psutil.Process) -> str | None:
    """What it does and its command; None for one that is dead.

    One that only waits to be collected is dead, as orphans stay where the first process never collects them.
    """
    try:
        status = process.status()
        return None if status == psutil.STATUS_ZOMBIE else f"{status} {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return None


def start(project: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    # Children of a program that ignores Ctrl-C ignore it too, and so does what a shell starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(["dvc", "repro"], cwd=project, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, umask=0o077, start_new_session=True)  # fmt: skip


def kill(kind: str, process: subprocess.Popen[str], family: list[psutil.Process]) -> None:
    stages = [one for one in family[1:] if one.is_running() and "stages." in " ".join(one.cmdline())]
    if kind == "kill the stage" and stages:
        stages[0].kill()
    elif kind == "kill dvc":
        process.kill()
    elif kind == "terminate":
        os.killpg(process.pid, signal.SIGTERM)
    elif kind == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.killpg(process.pid, signal.SIGKILL)


def note(project: Path, found: Found, kind: str, output: str, *, when: float) -> None:
    found.kills[kind] += 1
    running = re.findall(r"^Running stage '(.*)'", output, flags=re.MULTILINE)
    stage = running[-1].partition("@")[0] if running else "(dvc itself)"
    found.stages[stage] = found.stages.get(stage, 0) + 1
    if points := resume_points(project):
        found.lost.append(max(0.0, when - max(point.stat().st_mtime for point in points)))


def resume_points(project: Path) -> list[Path]:
    return list((project / ".state/resume").rglob("*.safetensors"))


def cut_newest(project: Path, chance: random.Random) -> None:
    if points := resume_points(project):
        newest = max(points, key=lambda point: point.stat().st_mtime)
        os.truncate(newest, chance.randrange(newest.stat().st_size))


def compare(found: Found, undisturbed: Hashes, hashes: Hashes) -> None:
    found.passes += 1
    found.outputs += len(hashes)
    found.different += sorted(path for path in undisturbed | hashes if undisturbed.get(path) != hashes.get(path))


def undisturbed(folder: Path) -> Hashes:
    project = clone(folder / "clone")
    process = start(project, ENVIRONMENT | {"PYTHONHASHSEED": "1", "TZ": "UTC"})
    output = process.communicate()[0]
    assert process.returncode == 0, output[-4000:]
    return output_hashes((project / "dvc.lock").read_text())


def bad_inputs() -> str:
    """The closing line of the tests that try them."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/bad_input", "tests/fuzzing", "tests/model/test_claims.py"]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


def report(found: Found, *, seed: int, bad: str) -> str:
    """The figures as Markdown."""
    lost = sorted(found.lost) or [0.0]
    rows = {
        "kills": sum(found.kills.values()),
        **{f"of these: {meaning}": found.kills[kind] for kind, meaning in KINDS.items()},
        "trainings that went on from a resume point": found.resumed,
        "damaged resume points noticed and not used": found.damaged,
        "dvc.lock cut off by the kill of dvc, and removed": found.cut_locks,
        f"processes alive {AFTER:.0f} s after a kill": len(found.survivors),
        "tracebacks": found.tracebacks,
        "runs brought to their end": found.passes,
        "outputs compared": found.outputs,
        "outputs that differ from the undisturbed run": len(found.different),
        "seconds since the last resume point, where there was one, median": f"{statistics.median(lost):.1f}",
        "the same, largest": f"{lost[-1]:.1f}",
    }
    stages = ", ".join(f"{stage} {count}" for stage, count in sorted(found.stages.items()))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    command = f"python -m benchmarks.faults --kills {sum(found.kills.values())} --seed {seed}"
    return f"""# Faults

`{command}`, quick preset, {platform.system()}, {os.cpu_count()} cores.

| | |
|---|---|
{table}

Kills by the stage that ran: {stages}.

The disturbed runs also had another folder, hash seed, temporary folder, user name, locale, time zone and umask than the
undisturbed one.

Bad input (`pytest tests/bad_input tests/fuzzing tests/model/test_claims.py`, where every case ends in one message, no
traceback and nothing half-written, or is accepted): {bad}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found, chance = Found(), random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        wanted = undisturbed(Path(place) / "undisturbed")
        while sum(found.kills.values()) < options.kills:
            left = options.kills - sum(found.kills.values())
            with tempfile.TemporaryDirectory() as folder:
                compare(found, wanted, disturbed(Path(folder), found, kills=left, chance=chance))
            print(found, flush=True)
    (ROOT / "benchmarks/faults.md").write_text(report(found, seed=options.seed, bad=bad_inputs()), encoding="utf-8")


if __name__ == "__main__":
    main()
