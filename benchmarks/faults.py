"""Kill the pipeline at random moments, run it again, and compare every output with those of an undisturbed run.

`python -m benchmarks.faults --kills 100` writes benchmarks/faults.md. The disturbed runs differ from the undisturbed
one in folder, hash seed, temporary folder, user name, locale, time zone and umask too.
"""

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.killing import AFTER, KINDS, Found, disturbed, start
from tests.bad_input.project import edit
from tests.pipeline_runs.clone import ENVIRONMENT, ROOT, Hashes, clone, output_hashes

LONGER = {"pretrain.steps": 900, "distill.steps": 500, "benchmark.rounds": 5}
"""Changes to the quick preset, so that most kills fall into training."""


def compare(found: Found, undisturbed: Hashes, hashes: Hashes) -> None:
    found.passes += 1
    found.outputs += len(hashes)
    found.different += sorted(path for path in undisturbed | hashes if undisturbed.get(path) != hashes.get(path))


def undisturbed(folder: Path) -> Hashes:
    project = clone(folder / "clone")
    edit(project, LONGER)
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
        **{f"{file} cut off by the kill of dvc, and removed": count for file, count in found.cut_off.items()},
        "runs of dvc that failed otherwise": len(found.failed),
        f"processes alive {AFTER:.0f} s after a kill": len(found.survivors),
        "tracebacks": found.tracebacks,
        "runs brought to their end": found.passes,
        "outputs compared": found.outputs,
        "outputs that differ from the undisturbed run": len(found.different),
        "seconds of a stage's work lost by a kill, median": f"{statistics.median(lost):.1f}",
        "the same, largest": f"{lost[-1]:.1f}",
    }
    stages = ", ".join(f"{stage} {count}" for stage, count in sorted(found.stages.items()))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    changes = ", ".join(f"{key} {value}" for key, value in LONGER.items())
    command = f"python -m benchmarks.faults --kills {sum(found.kills.values())} --seed {seed}"
    return f"""# Faults

`{command}`, quick preset with {changes}, {platform.system()}, {os.cpu_count()} cores.

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
                compare(found, wanted, disturbed(Path(folder), found, kills=left, chance=chance, changes=LONGER))
            print(found, flush=True)
    (ROOT / "benchmarks/faults.md").write_text(report(found, seed=options.seed, bad=bad_inputs()), encoding="utf-8")


if __name__ == "__main__":
    main()
