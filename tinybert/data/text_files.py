"""Text of a file that may be compressed, in a stated encoding; bytes that do not decode are named with their line."""

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

import pyarrow as pa

from tinybert.errors import InputError

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
EXAMPLE = "latin-1"


@contextmanager
def open_text(path: Path, *, encoding: str | None = None, newline: str | None = None) -> Iterator[TextIO]:
    """The text of `path`, decompressed; `newline` as for `open`.

    Without `encoding` it is UTF-8, with or without a byte order mark, or what a mark of UTF-16 says. Raises InputError
    where bytes do not decode, with the number of their line.
    """
    used = encoding or ("utf-16" if _begins_with(path, UTF16_MARKS) else "utf-8-sig")
    with _open_binary(path) as binary, io.TextIOWrapper(binary, encoding=used, newline=newline) as file:
        try:
            yield file
        except UnicodeDecodeError as error:
            raise _undecodable(path, used, given=encoding is not None) or error from None


def _open_binary(path: Path) -> IO[bytes]:
    suffix = path.suffix.lower()
    if suffix == ".zst":
        return pa.input_stream(str(path), compression="zstd")
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return openers.get(suffix, open)(path, "rb")


def _begins_with(path: Path, marks: tuple[bytes, ...]) -> bool:
    with _open_binary(path) as file:
        return file.read(2).startswith(marks)


def _undecodable(path: Path, encoding: str, *, given: bool) -> InputError | None:
    """The error for the first line that does not decode; None where that cannot be told line by line."""
    with _open_binary(path) as binary:
        for number, line in enumerate(io.BufferedReader(binary) if path.suffix == ".zst" else binary, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                found = (
                    f"{path}, line {number}: byte 0x{line[error.start]:02x} is not {'UTF-8' if not given else encoding}"
                )
                cure = f"; `encoding` names another, such as {EXAMPLE}" if not given else ""
                return InputError(found + cure)
    return None
