"""Notice a dependency that is not what DVC believes it to be: damaged before the stage, or changed while it runs.

DVC trusts the objects of its cache, and hashes dependencies after the command has run: it would record the new content
against the old output.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tinybert.errors import InputError

Snapshot = dict[Path, str]
SHOWN = 5  # files in a message


def snapshot(dependencies: Iterable[Path]) -> Snapshot:
    """The content of each dependency, as DVC's hash; a missing one raises InputError."""
    return {path: content_hash(path) for path in dependencies}


def check(before: Snapshot) -> None:
    """Raises InputError naming every dependency that is not what it was."""
    _refuse([str(path) for path, digest in before.items() if content_hash(path) != digest])


def check_parameters(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises InputError naming every parameter that is not what it was, as DVC would record the new one."""
    _refuse([f"{name} in params.yaml" for name in _differing(before, now)])


def _differing(old: Any, new: Any, *above: str) -> list[str]:
    """Paths at which two trees differ."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return [".".join(above)] if old != new else []
    keys = [*old, *(key for key in new if key not in old)]
    return [path for key in keys for path in _differing(old.get(key), new.get(key), *above, str(key))]


def _refuse(changed: Sequence[str]) -> None:
    if changed:
        raise InputError(
            f"{', '.join(changed)} changed while the stage was running, so its output was "
            "discarded; run `dvc repro` again"
        )


def require_recorded(snapshot: Snapshot, recorded: Mapping[Path, str], *, cache: Path) -> None:
    """Raises InputError for a dependency that has not the hash under which DVC has recorded it; `cache` is DVC's."""
    for path, expected in recorded.items():
        if path in snapshot and snapshot[path] != expected:
            objects = ", ".join(str(_object(cache, digest)) for digest in _damaged(path, expected, cache)[:SHOWN])
            raise InputError(
                f"{path} is not what DVC has recorded (expected md5 {expected}, got {snapshot[path]}). If nobody "
                f"changed it, its copy in DVC's cache is damaged: remove {path} and {objects}, then run `dvc repro`"
            )


def content_hash(path: Path) -> str:
    """What DVC writes into dvc.lock: the md5 of a file, or that of a folder's list of files, with `.dir` at its end."""
    if not path.exists():
        raise InputError(f"{path} does not exist; this stage depends on it")
    if path.is_file():
        return _md5(path)
    listing = [{"md5": digest, "relpath": name} for name, digest in sorted(_listing(path).items())]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"


def _listing(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): _md5(file) for file in files}


def _md5(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def _damaged(path: Path, expected: str, cache: Path) -> list[str]:
    """The objects that `path` should consist of and does not."""
    listing = _object(cache, expected)
    if path.is_file() or not listing.is_file():
        return [expected]
    present = _listing(path)
    entries = json.loads(listing.read_text(encoding="utf-8"))
    return [entry["md5"] for entry in entries if present.get(entry["relpath"]) != entry["md5"]] or [expected]


def _object(cache: Path, digest: str) -> Path:
    return cache / digest[:2] / digest[2:]
