"""Rows of JSON files: lines, one list of objects, or what SQuAD is published as, articles with paragraphs."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tinybert.errors import InputError, shorten

Row = dict[str, Any]
JSON_ERRORS = (ValueError, RecursionError)  # syntax, a number of thousands of digits, nesting without end
ROWS = "one object a line, or one list of objects"


def read_json(file: TextIO, path: Path) -> Iterator[Row]:
    """JSON lines, one list of objects, or one object whose `data` is such a list or SQuAD's.

    A row without one of the first row's keys has None there. Raises InputError, with the line or the row, for anything
    that is no object.
    """
    first = file.readline()
    columns: Row = {}
    for where, row in _located(first, file, path):
        if not isinstance(row, dict):
            raise InputError(f'{where}: expected a JSON object such as {{"text": ...}}, got {shorten(row)}')
        columns = columns or dict.fromkeys(row)
        yield columns | row


def _located(first: str, file: TextIO, path: Path) -> Iterator[tuple[str, Any]]:
    start = first.lstrip()
    if start.startswith("[") or (start.startswith("{") and not _is_whole(first)):
        return _of_document(_parsed(first + file.read(), path), path)
    ahead = [first, *_up_to_text(file)]
    if start.startswith("{") and not "".join(ahead[1:]).strip():
        return _of_document(_parsed(first, path), path)
    return _lines(itertools.chain(ahead, file), path)


def _up_to_text(file: TextIO) -> Iterator[str]:
    for line in file:
        yield line
        if line.strip():
            return


def _is_whole(line: str) -> bool:
    """Whether the line is an object by itself, or a broken one that no further lines will mend."""
    return line.rstrip().endswith("}")


def _parsed(text: str, path: Path) -> Any:
    try:
        return _parse(text)
    except JSON_ERRORS as error:
        raise InputError(f"{path}: broken JSON: {error}; expected {ROWS}") from error


def _of_document(content: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of one JSON value that is the whole file."""
    rows = content
    if isinstance(content, dict):
        data = content.get("data")
        rows = data if isinstance(data, list) and all(isinstance(row, dict) for row in data) else [content]
        _refuse_columns(content, path)
    if rows and all(isinstance(row, dict) and "paragraphs" in row for row in rows):
        rows = _questions(rows, path)
    for number, row in enumerate(rows, start=1):
        yield f"{path}, row {number}", row


def _refuse_columns(content: Row, path: Path) -> None:
    """Raise InputError for a table written column by column, as pandas does where it is not told otherwise."""
    values = [*content.values()]
    if len(values) > 1 and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        raise InputError(
            f"{path} holds one object with a column under each key, {', '.join(map(shorten, [*content][:5]))}; "
            f"expected {ROWS}, as pandas writes with to_json(orient='records', lines=True)"
        )


def _questions(articles: list[Row], path: Path) -> Iterator[Row]:
    """SQuAD 1.1 and 2.0: a row for each question, with the context of its paragraph."""
    for number, article in enumerate(articles, start=1):
        try:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    yield {"title": article.get("title"), "context": paragraph["context"], **question}
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path}, article {number}: expected SQuAD's paragraphs with context and qas, got none of {error}"
            ) from error


def _lines(lines: Iterator[str], path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = _parse(line)
        except JSON_ERRORS as error:
            raise InputError(f"{path}, line {number}: broken JSON: {error}; expected {ROWS}") from error
        yield f"{path}, line {number}", row


def _parse(text: str) -> Any:
    """Raises one of JSON_ERRORS, also for half of a surrogate pair, which JSON can spell and UTF-8 cannot hold."""
    value = json.loads(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value
