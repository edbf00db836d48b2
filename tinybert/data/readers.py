"""Rows of one data file (csv, tsv, jsonl, json, txt or parquet), one by one, with their values as written."""

import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features, Value
from datasets.table import cast_table_to_schema

from tinybert.errors import InputError

Row = dict[str, Any]

FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".parquet")
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError, csv.Error, pa.ArrowException)
JSON_ERRORS = (ValueError, RecursionError)  # syntax, a number of thousands of digits, nesting without end
BOOLEANS = {"true": True, "false": False}
PARQUET_BATCH = 1000  # rows in memory at once


def data_format(path: Path) -> str:
    """The suffix that tells the format of `path`. Raises InputError where it is none of `FORMATS`."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED and suffixes[0] != ".parquet":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in FORMATS:
        raise InputError(
            f"{path} has no format that can be read; expected a file that ends in {', '.join(FORMATS)}, "
            f"all but the last also with {', '.join(COMPRESSED)}"
        )
    return suffixes[-1]


def read_rows(path: Path, *, features: Features | None, separator: str | None = None) -> Iterator[Row]:
    """The rows of `path`, cast to `features` if there are any; else all values of csv and tsv files are text.

    A text file has a row per line, with the column "text". Raises InputError where the file cannot be read to its end
    or where a row has other columns than the first.
    """
    kind = data_format(path)
    try:
        if kind == ".parquet":
            yield from _read_parquet(path, features)
            return
        with _open_text(path) as file:
            if kind == ".txt":
                rows = ({"text": line.removesuffix("\n")} for line in file)
            elif kind in (".csv", ".tsv"):
                rows = _read_csv(file, path, separator or ("\t" if kind == ".tsv" else ","))
            else:
                rows = _read_json(file, path)
            for number, row in enumerate(rows, start=1):
                yield _cast_row(row, features, where=f"{path}, row {number}") if features else row
    except READ_ERRORS as error:
        raise InputError(f"{path} cannot be read to its end ({type(error).__name__}: {error}); is it whole?") from error


def _open_text(path: Path) -> TextIO:
    """`path`, decompressed, as UTF-8 with or without a byte order mark; line ends as Python's csv module needs them."""
    suffix = path.suffix.lower()
    newline = None if data_format(path) == ".txt" else ""
    if suffix == ".zst":
        return io.TextIOWrapper(pa.input_stream(str(path), compression="zstd"), encoding="utf-8-sig", newline=newline)
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return openers.get(suffix, open)(path, "rt", encoding="utf-8-sig", newline=newline)


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


def _read_csv(file: TextIO, path: Path, separator: str) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)  # the default is shorter than many a document
    reader = csv.reader(file, delimiter=separator, strict=True)
    header = next(reader, [])
    if len(set(header)) < len(header):
        raise InputError(f"{path} names a column twice in its header: {header}")
    for values in reader:
        if len(values) == len(header):
            yield dict(zip(header, values, strict=True))
        elif values:
            raise InputError(
                f"{path}, line {reader.line_num}: the row has {len(values)} values, but the header has {len(header)} "
                f"({', '.join(header)}); a value with the separator, a quote or a line end in it needs quotes around it"
            )


def _read_json(file: TextIO, path: Path) -> Iterator[Row]:
    """JSON lines, or one list of objects. A row without one of the first row's keys has None there."""
    first = file.readline()
    rows = _json_list(first, file, path) if first.lstrip().startswith("[") else _json_lines(first, file, path)
    columns: Row = {}
    for where, row in rows:
        if not isinstance(row, dict):
            raise InputError(f'{where}: expected a JSON object such as {{"text": ...}}, got {json.dumps(row)[:60]}')
        columns = columns or dict.fromkeys(row)
        yield columns | row


def _json_list(first: str, file: TextIO, path: Path) -> Iterator[tuple[str, Any]]:
    try:
        rows = _parse(first + file.read())
    except JSON_ERRORS as error:
        raise InputError(f"{path}: broken JSON: {error}") from error
    for number, row in enumerate(rows, start=1):
        yield f"{path}, row {number}", row


def _json_lines(first: str, file: TextIO, path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(itertools.chain([first], file), start=1):
        if not line.strip():
            continue
        try:
            row = _parse(line)
        except JSON_ERRORS as error:
            raise InputError(
                f"{path}, line {number}: broken JSON: {error}; expected one object per line, or one list of objects"
            ) from error
        yield f"{path}, line {number}", row


def _parse(text: str) -> Any:
    """Raises one of JSON_ERRORS, also for half of a surrogate pair, which JSON can spell and UTF-8 cannot hold."""
    value = json.loads(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


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
    """A value, if it is written as text, made ready for `feature`: an empty one is None, and "False" is not true."""
    if not isinstance(value, str) or feature in (Value("string"), Value("large_string")):
        return value
    if not isinstance(feature, Value | ClassLabel):
        raise ValueError(f"expected {feature}, got the text {value[:40]!r}")
    if feature == Value("bool") and value:
        return BOOLEANS[value.lower()]
    return value or None
