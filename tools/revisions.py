"""What git keeps of the pipeline's past: commits and experiments that have metrics, read without a checkout."""

import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.reporting.page import leaves

METRICS, PARAMETERS = "reports/metrics", "params.yaml"
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
    """Parameters that differ from the revision before it, or from the commit that an experiment started at."""


def revisions(folder: Path, *, last: int) -> list[Revision]:
    """The last commits that changed metrics, oldest first, then the last experiments, as many at most."""
    commits = _git(folder, "log", f"-n{last + 1}", "--format=%H", "--", METRICS).split()[::-1]
    found = [_commit(folder, commit, before) for commit, before in zip(commits, [None, *commits], strict=False)]
    kept = [revision for revision in found if revision.metrics][-last:]
    return kept + [revision for revision in _experiments(folder, last) if revision.metrics]


def _commit(folder: Path, commit: str, before: str | None, *, name: str = "") -> Revision:
    short, date, subject = _git(folder, "show", "-s", "--format=%h%x00%cs%x00%s", commit).strip("\n").split("\0")
    files = _files(folder, commit)
    changed = _changed(_files(folder, before), files) if before else []
    return Revision(name or short, date, subject, _metrics(files), changed)


def _experiments(folder: Path, last: int) -> list[Revision]:
    """DVC keeps each as refs/exps/AB/CDEF.../NAME, where ABCDEF... is the commit that it started at."""
    listed = _git(folder, "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/exps")
    found = []
    for line in listed.splitlines():
        commit, _, ref = line.partition(" ")
        parts = ref.split("/")
        if len(parts) == 5 and len(parts[2] + parts[3]) == 40:
            found.append(_commit(folder, commit, parts[2] + parts[3], name=parts[4]))
    return found[:last][::-1]


def _files(folder: Path, commit: str) -> dict[str, bytes]:
    """Metrics and parameters of a commit, by path; those that it does not have are left out."""
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit, "--", METRICS, PARAMETERS)
    paths = [path for path in listed.split("\0") if path]
    if not paths:
        return {}
    packed = subprocess.run(
        ["git", "archive", "--format=tar", commit, "--", *paths], cwd=folder, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        return {one.name: file.read() for one in archive if (file := archive.extractfile(one))}


def _metrics(files: dict[str, bytes]) -> Metrics:
    found: Metrics = {}
    for path, content in files.items():
        parts = path.removeprefix(f"{METRICS}/").removesuffix(".json").split("/")
        if path.startswith(METRICS) and len(parts) == 2 and (numbers := _numbers(content)):
            found.setdefault(parts[0], {})[parts[1]] = numbers
    return found


def _numbers(text: bytes) -> dict[str, Any]:
    """Of one file; none where a commit has one that is not JSON, with marks of a merge in it, say."""
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    old, new = (_leaves(files.get(PARAMETERS, b"")) for files in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"{name}: {old.get(name, 'not there')} \u2192 {new.get(name, 'not there')}" for name in names]


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
