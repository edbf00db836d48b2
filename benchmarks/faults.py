"""Kill the pipeline again and again, run it on, and compare every output with those of an undisturbed run.

`python -m benchmarks.faults --kills 100` writes benchmarks/faults.md. Four of five kills hit a training that can be
resumed, the others any time of the run. The disturbed runs differ from the undisturbed one in folder, hash seed,
temporary folder, user name, locale, time zone and umask too.
"""

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.clones import ENVIRONMENT, ROOT, Hashes, clone, edit, output_hashes, run
from benchmarks.kill_schedule import ANYWHERE
from benchmarks.killing import AFTER, CUT_OFF, KINDS, Record, Repro, disturbed, stage_seconds

LONGER = {
    "pretrain.steps": 500,
    "distill.steps": 350,
    "finetuning.teacher.epochs": 12,
    "finetuning.student.intermediate.epochs": 6,
    "finetuning.student.prediction.epochs": 12,
}
"""Changes to the quick preset: each training lasts some twenty seconds on two cores, enough for several kills."""
BAD_INPUT = "tests/stages/bad_input tests/stages/test_fuzzing.py tests/tinybert/model/test_checkpoint_validation.py"


def undisturbed(folder: Path) -> tuple[Hashes, dict[str, float]]:
    """The outputs of a run that nobody kills, and the seconds of its stages."""
    project = clone(folder / "clone")
    edit(project, LONGER)
    (project / "dvc.lock").unlink(missing_ok=True)
    repro = Repro(project, ENVIRONMENT | {"PYTHONHASHSEED": "1", "TZ": "UTC"})
    output = repro.output()
    assert repro.process.returncode == 0, output[-4000:]
    return output_hashes((project / "dvc.lock").read_text()), stage_seconds(project)


def measure(kills: int, *, passes: int, seed: int) -> Record:
    """Kill that many times, in at least `passes` runs of the whole pipeline."""
    record, chance = Record(), random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        expected, seconds = undisturbed(Path(place))
    while (left := kills - record.kinds.total()) > 0:
        share = -(-left // max(1, passes - record.passes))
        with tempfile.TemporaryDirectory() as place:
            hashes = disturbed(Path(place), record, kills=share, durations=seconds, chance=chance, changes=LONGER)
        record.compare(expected, hashes)
        print(record, flush=True)
    return record


def bad_inputs() -> str:
    """The closing line of the tests of bad input."""
    command = [sys.executable, "-m", "pytest", "-q", *BAD_INPUT.split()]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


def table(record: Record) -> str:
    lost = record.lost or [0.0]
    rows = {
        "kills": record.kinds.total(),
        **{f"of these: {meaning}": record.kinds[kind] for kind, meaning in KINDS.items()},
        "kills that left a resume point": record.resumable,
        "trainings that went on from a resume point": record.resumes.total(),
        "damaged resume points noticed and not used": record.damaged,
        **{f"{file} cut off by the kill of dvc, and removed": record.cut_off[file] for file in CUT_OFF.values()},
        "runs of dvc that failed otherwise": len(record.failed),
        f"processes alive {AFTER:.0f} s after a kill": len(record.survivors),
        "tracebacks": record.tracebacks,
        "runs brought to their end": record.passes,
        "outputs compared": record.outputs,
        "outputs that differ from the undisturbed run": len(record.different),
        "seconds of a stage's work lost by a kill, median": f"{statistics.median(lost):.1f}",
        "the same, largest": f"{max(lost):.1f}",
    }
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def by_stage(record: Record) -> str:
    stages = sorted(record.stages, key=lambda stage: (-record.stages[stage], stage))
    return "\n".join(f"| {stage} | {record.stages[stage]} | {record.resumes[stage]} |" for stage in stages)


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def report(record: Record, *, command: str, commit: str, bad_input: str) -> str:
    """The figures as Markdown."""
    changes = ", ".join(f"{key} {value}" for key, value in LONGER.items())
    return f"""# Faults

`{command}` at commit {commit}, quick preset with {changes}, {platform.system()}, {os.cpu_count()} cores.

| | |
|---|---|
{table(record)}

{1 - ANYWHERE:.0%} of the kills were planned for trainings, a random time after they could be resumed; the others for
times uniform over the whole run. Kills by the shell in which dvc starts stages: {listed(record.shells)}. By stage:

| stage | kills | resumed |
|---|---|---|
{by_stage(record)}

The disturbed runs also had another folder, hash seed, temporary folder, user name, locale, time zone and umask than the
undisturbed one.

Bad input (`pytest {BAD_INPUT}`, where every case ends in one message, no traceback and nothing half-written, or is
accepted): {bad_input}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--passes", type=int, default=2, help="runs of the whole pipeline that share the kills")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    command = f"python -m benchmarks.faults --kills {options.kills} --passes {options.passes} --seed {options.seed}"
    commit = run(ROOT, "git", "describe", "--always", "--dirty").strip()
    record = measure(options.kills, passes=options.passes, seed=options.seed)
    text = report(record, command=command, commit=commit, bad_input=bad_inputs())
    (ROOT / "benchmarks/faults.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
