"""A project of a few files around the real code of the stages."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.clones import ROOT


def make(folder: Path, files: Mapping[str, str]) -> Path:
    """A git repository in `folder` with what stages import, DVC's settings, and `files` by their paths."""
    for package in ("pipeline", "parameters"):
        shutil.copytree(ROOT / "stages" / package, folder / "stages" / package)
    shutil.copytree(ROOT / "tinybert", folder / "tinybert", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder
