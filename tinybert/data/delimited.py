"""Rows of csv and tsv files: with or without a header, and tsv with or without quotes around values."""

import csv
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tinybert.errors import InputError

Row = dict[str, Any]
TAB = "\t"
QUOTE = '"'


def read_delimited(file: TextIO, path: Path, *, separator: str, header: bool, quoted: bool) -> Iterator[Row]:
    """The rows of a file, opened with newline="", all values as text.

    Without `header` the columns are called "0", "1" and so on. With `quoted` a value may stand in quotes, inside which
    separators and line ends are text and a quote is doubled; else every line is a row, and a quote is a character.
    Raises InputError for a row with another number of values than the first line.
    """
    csv.field_size_limit(sys.maxsize)  # the default is shorter than many a document
    reader = csv.reader(file, delimiter=separator, strict=True) if quoted else _Plain(file, separator)
    first = next(reader, [])
    names = first if header else [str(number) for number in range(len(first))]
    if len(set(names)) < len(names):
        raise InputError(f"{path} names a column twice in its header: {names}")
    for values in reader if header else itertools.chain([first], reader):
        if len(values) == len(names):
            yield dict(zip(names, values, strict=True))
        elif values:
            place = f"{path}, line {reader.line_num}"
            raise InputError(f"{place}: {_wrong_width(values, names, header=header, quoted=quoted)}")


def find_separator(first_line: Iterable[str]) -> str:
    """Of a csv file: a comma, or where the first line has none, the semicolon or tab that it has."""
    line = "".join(first_line)
    return next((separator for separator in (",", ";", TAB) if separator in line), ",")


def is_quoted(lines: Iterable[str]) -> bool:
    """Whether the tab-separated `lines` of a file put values in quotes, as programs do that write csv.

    The data sets of GLUE and many others do not, so that a quote there is a part of the text. A file whose lines all
    have as many tabs is quoted when each value that begins with a quote ends with one and has only doubled quotes
    inside, and one has some, or the header is in quotes: no program quotes a plain value alone. A file whose lines
    differ is quoted when a value that begins with a quote goes on beyond a tab or a line end.
    """
    widths, spans, doubled = set[int](), False, False
    for number, line in enumerate(lines):
        fields = line.rstrip("\r\n").split(TAB)
        if fields != [""]:
            widths.add(len(fields))
        for body in (field[1:] for field in fields if field.startswith(QUOTE)):
            closed = body.endswith(QUOTE) and QUOTE not in body[:-1].replace(QUOTE * 2, "")
            spans |= not closed
            doubled |= number == 0 or QUOTE in body[:-1]
    return spans if len(widths) > 1 else doubled and not spans


class _Plain:
    """Values between separators, line by line, with the number of the line, as of csv.reader."""

    def __init__(self, file: TextIO, separator: str) -> None:
        self._file, self._separator, self.line_num = file, separator, 0

    def __iter__(self) -> "_Plain":
        return self

    def __next__(self) -> list[str]:
        line = next(self._file).rstrip("\r\n")
        self.line_num += 1
        return line.split(self._separator) if line else []


def _wrong_width(values: list[str], names: list[str], *, header: bool, quoted: bool) -> str:
    what = f"the header has {len(names)} ({', '.join(names)[:100]})" if header else f"the first row has {len(names)}"
    cure = "; a value with the separator, a quote or a line end in it needs quotes around it" if quoted else ""
    return f"the row has {len(values)} values, but {what}{cure}"
