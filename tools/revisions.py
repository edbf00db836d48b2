"""The pipeline's history in git: commits and experiments that have metrics, read without a checkout."""

import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tinybert.reporting.page import leaves

METRICS, PARAMETERS = "reports/metrics", "params.yaml"
MISSING = "(missing)"
Metrics = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Revision:
    name: str
    """Abbreviated commit, or the name of an experiment."""
    date: str
    subject: str
    metrics: Metrics
    """By task and model."""
    changed: list[str]
    """Parameters that differ from the revision before, or from the commit that an experiment was started from."""


def revisions(folder: Path, *, last: int) -> list[Revision]:
    """The last commits that changed metrics, oldest first, then the last experiments, as many at most."""
    commits = _git(folder, "log", f"-n{last + 1}", "--format=%H", "--", METRICS).split()[::-1]
    pairs = zip(commits, [None, *commits], strict=False)
    history = [revision for commit, before in pairs if (revision := _commit(folder, commit, before)).metrics]
    return history[-last:] + [revision for revision in _experiments(folder, last) if revision.metrics]


def _commit(folder: Path, commit: str, before: str | None, *, name: str = "") -> Revision:
    short, date, subject = _git(folder, "show", "-s", "--format=%h%x00%cs%x00%s", commit).strip("\n").split("\0")
    files = _files(folder, commit)
    changed = _changed(_files(folder, before), files) if before else []
    return Revision(name or short, date, subject, _metrics(files), changed)


def _experiments(folder: Path, last: int) -> list[Revision]:
    """DVC keeps each one as refs/exps/AB/CDEF.../NAME, where ABCDEF... is the commit it was started from."""
    listed = _git(folder, "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/exps")
    experiments = []
    for line in listed.splitlines():
        commit, _, ref = line.partition(" ")
        parts = ref.split("/")
        if len(parts) == 5 and len(parts[2] + parts[3]) == 40:
            experiments.append(_commit(folder, commit, parts[2] + parts[3], name=parts[4]))
    return experiments[:last][::-1]


def _files(folder: Path, commit: str) -> dict[str, bytes]:
    """The metrics and parameters of a commit, by path, as far as it has them."""
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit, "--", METRICS, PARAMETERS)
    paths = [path for path in listed.split("\0") if path]
    if not paths:
        return {}
    packed = subprocess.run(
        ["git", "archive", "--format=tar", commit, "--", *paths], cwd=folder, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        return {member.name: file.read() for member in archive if (file := archive.extractfile(member))}


def _metrics(files: dict[str, bytes]) -> Metrics:
    metrics: Metrics = {}
    for path, content in files.items():
        parts = path.removeprefix(f"{METRICS}/").removesuffix(".json").split("/")
        if path.startswith(METRICS) and len(parts) == 2 and (numbers := _numbers(content)):
            metrics.setdefault(parts[0], {})[parts[1]] = numbers
    return metrics


def _numbers(text: bytes) -> dict[str, Any]:
    """Of one file; none where a commit has a file that is not JSON, such as one with conflict markers."""
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    old, new = (_leaves(files.get(PARAMETERS, b"")) for files in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"{name}: {old.get(name, MISSING)} \u2192 {new.get(name, MISSING)}" for name in names]


def _leaves(text: bytes) -> dict[str, Any]:
    """Parameters by path; none where a commit has a file that is not YAML."""
    try:
        return leaves(YAML(typ="safe").load(text) or {})
    except YAMLError:
        return {}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
