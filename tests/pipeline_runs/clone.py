"""A clone of the project as it stands, on its smallest preset, and the real dvc in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "HF_HUB_OFFLINE": "1",
}
Hashes = dict[str, str]
COMMIT = ("git", "-c", "user.name=A", "-c", "user.email=a@b.invalid", "commit", "-qam")
TIMED = {"benchmark.json", "report.html", "speed"}
"""Outputs that are not the same from run to run: what `benchmark` measured, and what shows it."""


def clone(folder: Path) -> Path:
    """Fill `folder` with the project's files, params.yaml being the quick preset."""
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for file in filter(lambda name: (ROOT / name).is_file(), files.stdout.splitlines()):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    shutil.copy(folder / "presets/quick.yaml", folder / "params.yaml")
    run(folder, "git", "init", "-q")
    return folder


def finished(folder: Path) -> Path:
    """A clone with the quick preset run through and committed."""
    clone(folder)
    run(folder, "dvc", "repro")
    run(folder, "git", "add", "-A")
    run(folder, *COMMIT, "quick")
    return folder


def run(folder: Path, *command: str) -> str:
    """What the command says; it has to end well."""
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


def stages_run(output: str) -> set[str]:
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def output_hashes(lock: str) -> Hashes:
    """The md5 of every output that a dvc.lock names, but for those with timings in them."""
    stages: dict[str, Any] = YAML(typ="safe").load(lock)["stages"]
    outs = (out for stage in stages.values() for out in stage.get("outs", []))
    return {out["path"]: out["md5"] for out in outs if Path(out["path"]).name not in TIMED}
