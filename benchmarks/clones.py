"""Throwaway clones of the project: on a preset, edited, and run by the real dvc."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "HF_HUB_OFFLINE": "1",
}
"""As in an activated environment, without a network."""
DEFAULT = "default"
Hashes = dict[str, str]
"""md5 by path."""
COMMIT = ("git", "-c", "user.name=A", "-c", "user.email=a@b.invalid", "commit", "-qam")
TIMED = {"measure.json", "report.html", "speed"}
"""Names of the outputs that differ from run to run: what `measure` timed, and what shows it."""


def clone(folder: Path, *, preset: str = "quick") -> Path:
    """Copy the project's files as they stand into `folder`, a new git repository, with a preset as params.yaml."""
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for file in filter(lambda name: (ROOT / name).is_file(), files.stdout.splitlines()):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    shutil.copy(preset_file(preset), folder / "params.yaml")
    run(folder, "git", "init", "-q")
    return folder


def preset_file(preset: str) -> Path:
    """That of a preset's parameters; DEFAULT is the project's params.yaml."""
    return ROOT / ("params.yaml" if preset == DEFAULT else f"presets/{preset}.yaml")


def renew(folder: Path, *, preset: str, changes: Mapping[str, Any]) -> None:
    """A clone that stays, with today's code and a preset with changes; what was computed there before is kept."""
    lock = (folder / "dvc.lock").read_bytes() if (folder / ".dvc/cache").exists() else None
    clone(folder, preset=preset)
    if lock:
        (folder / "dvc.lock").write_bytes(lock)
    edit(folder, changes)


def finished(folder: Path) -> Path:
    """A clone with the quick preset run through and committed."""
    clone(folder)
    run(folder, "dvc", "repro")
    run(folder, "git", "add", "-A")
    run(folder, *COMMIT, "quick")
    return folder


def edit(project: Path, changes: Mapping[str, Any]) -> None:
    """Set keys of params.yaml: {"pretrain.steps": 30}; a path that ends in `old -> new` renames a key."""
    file = project / "params.yaml"
    parameters = YAML(typ="safe").load(file)
    for path, value in changes.items():
        *sections, key = path.split(".")
        section = parameters
        for name in sections:
            section = section[name]
        if " -> " in key:
            old, _, key = key.partition(" -> ")
            value = section.pop(old)
        section[key] = value
    YAML(typ="safe").dump(parameters, file)


def machine_of(folder: Path, student: str) -> str:
    """What general distillation of a student ran on in this clone."""
    found = json.loads((folder / f"reports/distill/{student}/machine.json").read_text())
    return f"{found['processor']} ({found['instructions']}), {found['threads']} threads"


def run(folder: Path, *command: str) -> str:
    """Output of a command, which has to succeed."""
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


def stages_run(output: str) -> set[str]:
    """Names of the stages that a `dvc repro` with this output ran."""
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def output_hashes(lock: str, *, without: Collection[str] = ()) -> Hashes:
    """The md5 of every output in the text of a dvc.lock, but for those that hold times, and those of some stages."""
    stages: dict[str, Any] = YAML(typ="safe").load(lock)["stages"]
    outs = (out for name, stage in stages.items() if name not in without for out in stage.get("outs", []))
    return {out["path"]: out["md5"] for out in outs if Path(out["path"]).name not in TIMED}
