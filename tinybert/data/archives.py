"""A zip or tar archive as the folder or the file that is in it."""

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from tinybert.errors import InputError, explain

FORMATS = {".zip": "zip", ".tar": "tar", ".tgz": "gztar", ".tar.gz": "gztar", ".tar.bz2": "bztar", ".tar.xz": "xztar"}
BROKEN = (
    *(shutil.ReadError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(RuntimeError, EOFError, ValueError, OSError),
)
"""What the formats raise; RuntimeError for a password."""
IGNORED = ("__MACOSX", ".")
"""Starts of the names that an archive's maker did not mean to put there."""


def is_archive(path: Path) -> bool:
    return path.is_file() and _format(path) is not None


def _format(path: Path) -> str | None:
    name = path.name.lower()
    return next((kind for suffix, kind in FORMATS.items() if name.endswith(suffix)), None)


@contextmanager
def extracted(path: Path) -> Iterator[Path]:
    """The content of an archive, in a temporary place: a folder, or the one file or folder that is in it.

    Raises InputError for an archive that is broken, locked by a password or empty, or with a member that would be
    written elsewhere.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            if _format(path) == "zip":
                _unzip(path, folder)
            else:
                shutil.unpack_archive(path, folder, _format(path), filter="data")
        except BROKEN as error:
            if explain(error):
                raise
            raise InputError(f"{path} cannot be unpacked ({type(error).__name__}: {error}); is it whole?") from error
        yield _content(folder, path)


def _unzip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError(f"its member {name!r} would be written elsewhere")
        archive.extractall(folder)


def _content(folder: Path, path: Path) -> Path:
    while True:
        members = [member for member in sorted(folder.iterdir()) if not member.name.startswith(IGNORED)]
        if not members:
            raise InputError(f"{path} holds no file")
        if len(members) > 1 or members[0].is_file():
            return members[0] if len(members) == 1 else folder
        folder = members[0]
