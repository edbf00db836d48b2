"""List what removed tasks and sources left behind: entries of dvc.lock without a stage, and outputs without one.

An output is one that some version of dvc.lock has recorded. It stays where it was changed after that, git keeps it, or
the cache lacks it.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from stages.pipeline.dependencies import content_hash
from tinybert.atomic import remove
from tinybert.errors import InputError
from tools.merge_lock import FILE, Lock, load, save

Recorded = dict[str, set[str]]
"""The md5s under which versions of dvc.lock have recorded a path."""


@dataclass(frozen=True)
class Leftovers:
    entries: list[str]
    outputs: list[Path]
    kept: dict[Path, str]
    """Outputs that stay, with the reason."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.tidy", description=__doc__)
    parser.add_argument("--remove", action="store_true", help="remove it; without this, it is only listed")
    arguments = parser.parse_args()
    try:
        with Repo() as repo, repo.lock:
            lock = load(FILE)
            left = find(repo, lock)
            if arguments.remove:
                _remove(left, lock)
    except (DvcException, InputError, OSError) as error:
        sys.exit(f"ERROR: {error}")
    _report(left, removed=arguments.remove)


def find(repo: Repo, lock: Lock) -> Leftovers:
    """What is left behind in the working directory, which is the top of the project."""
    names = {stage.name for stage in repo.index.stages if isinstance(stage, PipelineStage)}
    declared = {Path(repo.fs.relpath(out.fs_path, repo.root_dir)) for stage in repo.index.stages for out in stage.outs}
    left = Leftovers([name for name in lock["stages"] if name not in names], [], {})
    for path, hashes in _recorded(lock).items():
        output = Path(path)
        if not output.exists() or _overlaps(output, declared):
            continue
        if reason := _reason_to_stay(output, hashes, repo.cache.local):
            left.kept[output] = reason
        else:
            left.outputs.append(output)
    return left


def _recorded(lock: Lock) -> Recorded:
    """Outputs of the lock file as it is and of all its versions in git."""
    recorded: Recorded = {}
    for stages in (lock["stages"], *_versions()):
        for entry in stages.values():
            for out in entry.get("outs", []):
                recorded.setdefault(out["path"], set()).add(out.get("md5", ""))
    return recorded


def _versions() -> Iterator[dict[str, Any]]:
    """The stages of each version of dvc.lock in any commit; of a version with conflict marks, none."""
    for commit in _git("rev-list", "--all", "--", str(FILE)).split():
        try:
            content = yaml.load(_git("show", f"{commit}:./{FILE}"), yaml.CSafeLoader)
        except yaml.YAMLError:
            continue
        yield content.get("stages", {}) if isinstance(content, dict) else {}


def _reason_to_stay(output: Path, hashes: Iterable[str], cache: HashFileDB) -> str | None:
    if output.is_absolute() or ".." in output.parts or (output.is_symlink() and output.is_dir()):
        return "it lies outside the project"
    if _git("ls-files", "--", str(output)):
        return "git keeps it"
    md5 = content_hash(output)
    if md5 not in hashes:
        return "it was changed after a stage wrote it"
    return None if _is_cached(md5, cache) else "DVC's cache does not have it"


def _is_cached(md5: str, cache: HashFileDB) -> bool:
    """Whether the cache has the object, and all files of a folder."""
    if not cache.exists(md5) or not md5.endswith(".dir"):
        return cache.exists(md5)
    return all(file and cache.exists(str(file.value)) for _, _, file in Tree.load(cache, HashInfo("md5", md5)))


def _overlaps(output: Path, declared: Iterable[Path]) -> bool:
    """Whether `output` is a declared one, or in one, or holds one."""
    return any(output == path or output in path.parents or path in output.parents for path in declared)


def _remove(left: Leftovers, lock: Lock) -> None:
    """Outputs first: killed in between, the entries that name them are still there."""
    for output in left.outputs:
        remove(output)
        for folder in output.parents[:-1]:  # of a task that has nothing in it any more
            if not any(folder.iterdir()):
                folder.rmdir()
    for name in left.entries:
        del lock["stages"][name]
    if left.entries:
        save(FILE, lock)


def _git(*command: str) -> str:
    """The output of git; empty where there is no repository or no commit yet."""
    done = subprocess.run(["git", *command], capture_output=True, text=True, encoding="utf-8")
    return done.stdout if done.returncode == 0 else ""


def _report(left: Leftovers, *, removed: bool) -> None:
    verb = "removed" if removed else "would remove"
    lines = [f"{verb} from dvc.lock: {name}" for name in left.entries]
    lines += [f"{verb}: {output}" for output in left.outputs]
    lines += [f"stays, since {reason}: {output}" for output, reason in left.kept.items()]
    print("\n".join(lines or ["nothing left"]))
    if (left.entries or left.outputs) and not removed:
        print("`python -m tools.tidy --remove` removes it")


if __name__ == "__main__":
    main()
