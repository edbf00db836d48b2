"""Text of a file that may be compressed, in a stated encoding; bytes that do not decode are named with their line."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO, cast

from tinybert.errors import InputError

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WIDE = ("utf-16", "utf-32")
"""Encodings in which a line end is not one byte."""
START = 1024
"""Bytes that tell text from anything else."""
EXAMPLE = "latin-1"
READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeError, csv.Error)
"""Of a file of text that is cut off or broken."""


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


def is_text(path: Path) -> bool:
    """Whether the start of a file, decompressed, may be text: no byte is 0, or a mark says UTF-16."""
    if not path.is_file():
        return False
    try:
        with _open_binary(path) as file:
            start = file.read(START)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return False
    return bool(start) and (b"\0" not in start or start.startswith(UTF16_MARKS))


def _open_binary(path: Path) -> IO[bytes]:
    suffix = path.suffix.lower()
    if suffix == ".zst":
        import pyarrow as pa  # which using a model does not take

        return pa.input_stream(str(path), compression="zstd")
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return openers.get(suffix, open)(path, "rb")


def _begins_with(path: Path, marks: tuple[bytes, ...]) -> bool:
    with _open_binary(path) as file:
        return file.read(2).startswith(marks)


def _undecodable(path: Path, encoding: str, *, given: bool) -> InputError | None:
    """The error for the first line that does not decode; None where that cannot be told line by line."""
    if encoding.lower().replace("_", "-").startswith(WIDE):
        return None
    with _open_binary(path) as binary:
        lines = io.BufferedReader(cast(Any, binary)) if path.suffix.lower() == ".zst" else binary
        for number, line in enumerate(lines, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                expected = encoding if given else f"UTF-8; `encoding` names another, such as {EXAMPLE}"
                return InputError(f"{path}, line {number}: byte 0x{line[error.start]:02x} is not {expected}")
    return None
