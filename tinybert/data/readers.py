"""Rows of one data file, one by one, with their values as written: tables, JSON, lines of text."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features, Value
from datasets.table import cast_table_to_schema

from tinybert.data.delimited import TAB, find_separator, is_quoted, read_delimited
from tinybert.data.json_rows import read_json
from tinybert.data.line_formats import SAMPLE, Documents, has_columns, read_lines
from tinybert.data.text_files import COMPRESSED, READ_ERRORS, is_text, open_text
from tinybert.errors import InputError, shorten

Row = dict[str, Any]

FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".parquet")
LINES = "lines"
"""The format of a file whose name tells none, and which holds text."""
BOOLEANS = {"true": True, "false": False}
PARQUET_BATCH = 1000  # rows in memory at once


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a file may not say of itself."""

    encoding: str | None = None
    """None: UTF-8, or UTF-16 with its mark."""
    separator: str | None = None
    """None: a tab in tsv, and in csv the one that its first line has, see `find_separator`."""
    quoted: bool | None = None
    """Whether values of tsv stand in quotes where they hold a tab or a quote; None: as `is_quoted` tells."""
    numbered: bool = False
    """Columns have numbers, from 0: csv and tsv have no header, and lines of text have columns."""
    documents: Documents = "line"
    """What a row of plain text is."""


AS_IT_SAYS = Form()


def data_format(path: Path) -> str:
    """The suffix that tells the format of `path`, or LINES. Raises InputError where its name and content tell none."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED and suffixes[0] != ".parquet":
        suffixes.pop()
    if suffixes and suffixes[-1] in FORMATS:
        return suffixes[-1]
    if path.suffixes[:1] == [".parquet"] or not is_text(path):
        raise InputError(
            f"{path} has no format that can be read; expected a file that ends in {', '.join(FORMATS)}, all but the "
            f"last also with {', '.join(COMPRESSED)}, or a file of text"
        )
    return LINES


def read_rows(path: Path, *, features: Features | None, form: Form = AS_IT_SAYS) -> Iterator[Row]:
    """The rows of `path`, cast to `features` if there are any; else all values of csv and tsv files are text.

    Of text see `read_lines`. Raises InputError where the file cannot be read to its end or where a row has other
    columns than the first.
    """
    kind = data_format(path)
    try:
        rows = _read_parquet(path, features) if kind == ".parquet" else _read_text(path, kind, form)
        for number, row in enumerate(rows, start=1):
            is_cast = features and kind != ".parquet"
            yield _cast_row(row, features, where=f"{path}, row {number}") if features and is_cast else row
    except (*READ_ERRORS, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read to its end ({type(error).__name__}: {error}); is it whole?") from error


def _read_text(path: Path, kind: str, form: Form) -> Iterator[Row]:
    if kind == ".csv" or (kind == ".tsv" and not has_columns(_first_lines(path, form, SAMPLE))):
        yield from _read_table(path, kind, form)
        return
    begins = "".join(_first_lines(path, form, 1)).lstrip()[:1]
    with open_text(path, encoding=form.encoding) as file:
        if kind in (".txt", ".tsv") or (kind == LINES and begins not in ("{", "[")):
            yield from read_lines(file, documents=form.documents, where=str(path), columns=form.numbered)
        else:
            yield from read_json(file, path)


def _first_lines(path: Path, form: Form, count: int) -> list[str]:
    with open_text(path, encoding=form.encoding) as file:
        return [*islice(file, count)]


def _read_table(path: Path, kind: str, form: Form) -> Iterator[Row]:
    separator = form.separator or (TAB if kind == ".tsv" else find_separator(_first_lines(path, form, 1)))
    quoted = form.quoted
    if quoted is None:
        with open_text(path, encoding=form.encoding, newline="") as file:
            quoted = separator != TAB or is_quoted(file)
    with open_text(path, encoding=form.encoding, newline="") as file:
        yield from read_delimited(file, path, separator=separator, header=not form.numbered, quoted=quoted)


def _read_parquet(path: Path, features: Features | None) -> Iterator[Row]:
    # Arrow's read-ahead keeps all that it has read of the file until the end.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=PARQUET_BATCH):
            table = pa.Table.from_batches([batch])
            if features:
                missing = [name for name in features if name not in table.column_names]
                if missing:
                    raise InputError(f"{path} lacks the columns {missing}, which the README declares")
                table = _cast_table(table, features, path)
            yield from table.to_pylist()


def _cast_table(table: pa.Table, features: Features, path: Path) -> pa.Table:
    """The columns of `features`, all of them cast to their types: only a cast compares class numbers with names."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name, feature in features.items():
        try:
            columns[name] = cast_table_to_schema(table.select([name]), Features({name: feature}).arrow_schema)[name]
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{path}: column {name!r} is not as the README declares it: {error}; expected {feature}"
            ) from error
    return pa.table(columns)


def _cast_row(row: Row, features: Features, *, where: str) -> Row:
    """The row with the types of the declared `features`."""
    if not features.keys() <= row.keys():
        raise InputError(f"{where} lacks the columns {sorted(features.keys() - row.keys())}, which the README declares")
    try:
        typed = {name: _typed(row[name], feature) for name, feature in features.items()}
        return cast(Row, features.encode_example(typed))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{where} is not as the README declares it: {error}") from error


def _typed(value: Any, feature: Any) -> Any:
    """A value, if it is written as text, made ready for `feature`: an empty one is None, and "False" is not true.

    A number in the place of a class is its index, as in JSON, also where classes are called "1" and "2".
    """
    if not isinstance(value, str) or feature in (Value("string"), Value("large_string")):
        return value
    if not isinstance(feature, Value | ClassLabel):
        raise ValueError(f"expected {feature}, got the text {shorten(value)}")
    if feature == Value("bool") and value:
        return BOOLEANS[value.lower()]
    if isinstance(feature, ClassLabel) and value.removeprefix("-").isdecimal():
        return int(value)
    return value or None
