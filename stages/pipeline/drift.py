"""Notice a dependency that changes while a stage reads it.

DVC hashes dependencies after the command has run, and would record the new content against the old output.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stages.pipeline.errors import InputError

Snapshot = dict[Path, str]


def snapshot(dependencies: Iterable[Path]) -> Snapshot:
    """The content of each dependency, as a digest; a missing one raises InputError."""
    return {path: _digest(path) for path in dependencies}


def check(before: Snapshot) -> None:
    """Raises InputError naming every dependency that is not what it was."""
    changed = [str(path) for path, digest in before.items() if _digest(path) != digest]
    if changed:
        raise InputError(
            f"{', '.join(changed)} changed while the stage was running, so its output belongs to neither version "
            "and was not kept; run `dvc repro` again"
        )


def _digest(path: Path) -> str:
    if not path.exists():
        raise InputError(f"{path} does not exist; this stage depends on it")
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(_files(path)):
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        with open(file, "rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
