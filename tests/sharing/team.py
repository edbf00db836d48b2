"""Teammates: clones of one repository, and the recipes of docs/ as they would type them."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.clones import ENVIRONMENT, ROOT

GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
GIT |= {f"GIT_{role}_{what}": "alice@team.invalid" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
QUICK_TO_GIVE_UP = {"AWS_MAX_ATTEMPTS": "1"}
TEAM = ENVIRONMENT | GIT | QUICK_TO_GIVE_UP | {"PYTHONPATH": str(ROOT)}
LONGEST = 1200.0  # seconds


def recipe(document: str, heading: str, block: int = 0) -> str:
    """A block of commands under a heading of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^```\w*\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)[block]


def shell(folder: Path, script: str, words: Mapping[str, str] | None = None) -> str:
    """What the commands say; each has to end well. `words` are put in the place of a document's examples."""
    done = _run(folder, script, words)
    assert done.returncode == 0, f"{script}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


def refused(folder: Path, script: str, words: Mapping[str, str] | None = None) -> str:
    """What is said by commands of which one ends badly, without a traceback."""
    done = _run(folder, script, words)
    assert done.returncode != 0, f"{script}\n{done.stdout}"
    assert "Traceback" not in done.stdout + done.stderr
    assert "ERROR" in done.stderr, done.stderr
    return done.stderr


def start(folder: Path, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(["bash", "-euc", script], cwd=folder, env=TEAM, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def _run(folder: Path, script: str, words: Mapping[str, str] | None) -> subprocess.CompletedProcess[str]:
    for example, real in (words or {}).items():
        script = script.replace(example, real)
    return subprocess.run(["bash", "-euc", script], cwd=folder, env=TEAM, input="y\n" * 9, capture_output=True,
                          text=True, timeout=LONGEST)  # fmt: skip
