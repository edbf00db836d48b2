"""Find, and with `--remove` remove, what removed tasks and sources left behind.

Left behind are entries of dvc.lock without a stage, and outputs that some version of dvc.lock has recorded and no stage
of dvc.yaml writes. What no dvc.lock has recorded, or was changed after that, or git keeps, or the cache lacks, is
never touched.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from stages.pipeline.dependencies import content_hash
from stages.pipeline.outputs import remove
from tinybert.errors import InputError
from tools.lock import FILE, Lock, load, save

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
    _say(left, removed=arguments.remove)


def find(repo: Repo, lock: Lock) -> Leftovers:
    """What is left behind in the working directory, which is the top of the project."""
    names = {stage.name for stage in repo.index.stages if isinstance(stage, PipelineStage)}
    wanted = {Path(repo.fs.relpath(out.fs_path, repo.root_dir)) for stage in repo.index.stages for out in stage.outs}
    left = Leftovers([name for name in lock["stages"] if name not in names], [], {})
    for path, hashes in _recorded(lock).items():
        output = Path(path)
        if not output.exists() or _overlaps(output, wanted):
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
    blobs = dict.fromkeys(f"{commit}:./{FILE}" for commit in _git("rev-list", "--all", "--", str(FILE)).split())
    for blob in blobs:
        try:
            content = yaml.load(_git("show", blob), yaml.CSafeLoader)
        except yaml.YAMLError:
            continue
        yield content.get("stages", {}) if isinstance(content, dict) else {}


def _reason_to_stay(output: Path, hashes: Iterable[str], cache: HashFileDB) -> str | None:
    if output.is_absolute() or ".." in output.parts or (output.is_symlink() and output.is_dir()):
        return "it lies outside the project"
    if _git("ls-files", "--", str(output)):
        return "git keeps it"
    found = content_hash(output)
    if found not in hashes:
        return "it was changed after a stage wrote it"
    return None if _is_cached(found, cache) else "DVC's cache does not have it"


def _is_cached(md5: str, cache: HashFileDB) -> bool:
    """Whether the cache has the object, and all files of a folder."""
    if not cache.exists(md5) or not md5.endswith(".dir"):
        return cache.exists(md5)
    return all(one and cache.exists(str(one.value)) for _, _, one in Tree.load(cache, HashInfo("md5", md5)))


def _overlaps(output: Path, wanted: Iterable[Path]) -> bool:
    """Whether it is an output of today, or in one, or holds one."""
    return any(output == path or output in path.parents or path in output.parents for path in wanted)


def _remove(left: Leftovers, lock: Lock) -> None:
    """Outputs first: killed in between, the entries that name them are still there."""
    for output in left.outputs:
        remove(output)
        _remove_empty(output.parent)
    for name in left.entries:
        del lock["stages"][name]
    if left.entries:
        save(FILE, lock)


def _remove_empty(folder: PurePath) -> None:
    """The folder of a task that has nothing in it any more."""
    while folder != PurePath(".") and not any(Path(folder).iterdir()):
        Path(folder).rmdir()
        folder = folder.parent


def _git(*command: str) -> str:
    """What git says; nothing where there is no git or no commit yet."""
    done = subprocess.run(["git", *command], capture_output=True, text=True, encoding="utf-8")
    return done.stdout if done.returncode == 0 else ""


def _say(left: Leftovers, *, removed: bool) -> None:
    verb = "removed" if removed else "would remove"
    lines = [f"{verb} from dvc.lock: {name}" for name in left.entries]
    lines += [f"{verb}: {output}" for output in left.outputs]
    print(
        "\n".join([*lines, *(f"stays, since {why}: {output}" for output, why in left.kept.items())]) or "nothing left"
    )
    if lines and not removed:
        print("`python -m tools.tidy --remove` removes it")


if __name__ == "__main__":
    main()
