"""`tinybert predict`: questions from arguments, a file or standard input, answers as JSON lines."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from tinybert.data.delimited import TAB, find_separator, is_quoted, read_delimited
from tinybert.data.json_rows import read_json
from tinybert.data.text_files import COMPRESSED, READ_ERRORS, open_text
from tinybert.errors import InputError, explain
from tinybert.inference.predictor import Predictor

JSON, TABLES = (".jsonl", ".json", ".ndjson"), (".csv", ".tsv")
DIGITS = 6
"""Of a probability or a score in the output."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", type=Path, help="a folder with config.json, tokenizer and weights")
    command.add_argument("texts", metavar="TEXT", nargs="*", help="texts, or questions on --context")
    command.add_argument("--pair", metavar="TEXT", help="the second text, of a task on pairs")
    command.add_argument("--context", metavar="TEXT", help="where answers are looked for")
    command.add_argument("--file", type=Path, help="jsonl, json, csv or tsv with columns text, or text and text_pair, "
                         "or question and context, or words; or txt with a text a line")  # fmt: skip
    command.add_argument("--precision", choices=["int8", "float32"], help="by default the first that the folder has")
    command.add_argument("--threads", type=int, help="of the processor; by default all cores")
    command.add_argument("--all", action="store_true", help="the scores of all labels, and the tags of all words")


def run(options: argparse.Namespace) -> None:
    """Write one JSON object a line to standard output. Raises InputError, see Predictor."""
    if not options.texts and (options.pair is not None or options.context is not None):
        raise InputError("--pair and --context go with a TEXT; in a file or in lines they are keys of each object")
    predictor = Predictor(options.model, precision=options.precision, threads=options.threads)
    for result in predictor.stream(_requests(options)):
        shown = result if options.all else _without_details(result, predictor.kind)
        print(json.dumps(_rounded(shown), ensure_ascii=False))


def _requests(options: argparse.Namespace) -> Iterator[Any]:
    if options.file:
        yield from _of_file(options.file)
    elif not options.texts:
        yield from _of_lines(sys.stdin)
    for text in options.texts:
        more = {"text_pair": options.pair} if options.pair is not None else {}
        yield {"question": text, "context": options.context} if options.context is not None else {"text": text, **more}


def _of_lines(lines: Iterable[str]) -> Iterator[Any]:
    """JSON objects and strings, or plain text."""
    try:
        for number, line in enumerate(lines, start=1):
            yield _of_line(line.rstrip("\r\n"), number)
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8: {error}") from None


def _of_line(text: str, number: int) -> Any:
    try:
        return json.loads(text) if text.lstrip().startswith(("{", '"')) else text
    except ValueError as error:
        raise InputError(f"line {number}: broken JSON: {error}") from None


def _of_file(path: Path) -> Iterator[Any]:
    """Raises InputError for a file that is broken, or of another format."""
    form = next((suffix for suffix in reversed(path.suffixes) if suffix.lower() not in COMPRESSED), "").lower()
    if form not in (*JSON, *TABLES, ".txt"):
        expected = ", ".join((*JSON, *TABLES, ".txt"))
        raise InputError(f"{path}: expected a file that ends in {expected}, perhaps with {', '.join(COMPRESSED)}")
    try:
        with open_text(path, newline="" if form in TABLES else None) as file:
            yield from _rows(file, path, form)
    except READ_ERRORS as error:
        if explain(error):
            raise
        raise InputError(f"{path} cannot be read to its end ({type(error).__name__}: {error}); is it whole?") from error


def _rows(file: TextIO, path: Path, form: str) -> Iterator[Any]:
    if form in JSON:
        yield from read_json(file, path)
    elif form in TABLES:
        separator = TAB if form == ".tsv" else find_separator([file.readline()])
        file.seek(0)
        quoted = separator != TAB or is_quoted(file)
        file.seek(0)
        yield from read_delimited(file, path, separator=separator, header=True, quoted=quoted)
    else:
        yield from (line.rstrip("\n") for line in file)


def _without_details(result: dict[str, Any], kind: str) -> dict[str, Any]:
    if kind == "classification":
        return {name: result[name] for name in ("label", "score")}
    return {name: value for name, value in result.items() if name != "tags"}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
