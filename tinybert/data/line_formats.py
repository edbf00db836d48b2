"""Text files in which lines have a form: labelled lines, columns of words and tags, extracted Wikipedia, documents.

Which form a file has is told by its first lines. Plain text has none of them.
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby, islice
from typing import Any, Literal

from tinybert.errors import InputError, shorten

Row = dict[str, Any]
Documents = Literal["line", "blank_line", "file", "auto"]
"""What a document of plain text is; "auto" is a line, unless blank lines stand between texts."""
SAMPLE = 1000
"""Lines that tell the form."""
FASTTEXT = "__label__"
TREC = re.compile(r"([A-Z]{3,6}):([a-z]+) (.+)")
TAG = re.compile(r"O|[BIELSU]-\S+")
WIKI_START, WIKI_END = re.compile(r"<doc\b([^>]*)>\s*"), "</doc>"
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
DOCUMENT_MARK = "-DOCSTART-"


def read_lines(lines: Iterable[str], *, documents: Documents, where: str, columns: bool = False) -> Iterator[Row]:
    """The rows of a text file in whichever of the forms it has; `columns` says that it has columns.

    fastText: text, labels (a list), label (the one label, or the list). TREC: text, label (coarse), fine_label
    (coarse:fine). Columns: tokens and ner_tags, the first and the last column of each sentence as lists, and "0", "1"
    and so on, all of them. WikiExtractor: text, title, and the other attributes. Plain text: text, of one of
    `documents` each.
    Raises InputError, with the line, where a later line does not have the form of the first ones.
    """
    remaining = iter(lines)
    sample = list(islice(remaining, SAMPLE))
    form = _columns if columns else _form(sample)
    every = enumerate((line.rstrip("\r\n") for line in chain(sample, remaining)), start=1)
    yield from form(every, where) if form else _plain(every, _resolved(documents, sample))


Form = Callable[[Iterator[tuple[int, str]], str], Iterator[Row]]


def _form(sample: list[str]) -> Form | None:
    lines = [line.rstrip() for line in sample if line.strip()]
    if not lines:
        return None
    if WIKI_START.fullmatch(lines[0]):
        return _wiki
    if all(line.startswith(FASTTEXT) for line in lines):
        return _fasttext
    if all(TREC.fullmatch(line) for line in lines):
        return _trec
    return _columns if has_columns(lines) else None


def has_columns(lines: Iterable[str]) -> bool:
    """Whether lines are words with tags: as many columns in each, the last one a tag in BIO, IOBES or BILOU."""
    fields = [_fields(line) for line in lines if line.strip() and not _is_skipped(line)]
    return bool(fields) and {len(row) for row in fields} == {len(fields[0])} and len(fields[0]) > 1 and all(
        TAG.fullmatch(row[-1]) for row in fields
    )  # fmt: skip


def _fields(line: str) -> list[str]:
    return line.rstrip().split("\t") if "\t" in line else line.split()


def _is_skipped(line: str, *, width: int = 0) -> bool:
    """Whether a line is the mark of a document, or a comment: it has no tag, or where known, another width."""
    if not line.startswith("#"):
        return line.startswith(DOCUMENT_MARK)
    fields = _fields(line)
    return len(fields) != width if width else not TAG.fullmatch(fields[-1])


def _columns(lines: Iterator[tuple[int, str]], where: str) -> Iterator[Row]:
    width = 0
    for blank, group in groupby(lines, key=lambda pair: not pair[1].strip()):
        if blank:
            continue
        rows = list[list[str]]()
        for number, line in group:
            if _is_skipped(line, width=width):
                continue
            rows.append(_fields(line))
            width = width or len(rows[-1])
            if len(rows[-1]) != width:
                raise InputError(
                    f"{where}, line {number}: expected {width} columns, as in the lines before, got {shorten(line)}"
                )
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            yield {"tokens": columns[0], "ner_tags": columns[-1]} | {str(n): c for n, c in enumerate(columns)}


def _fasttext(lines: Iterator[tuple[int, str]], where: str) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        words = line.split(" ")
        labels = [word.removeprefix(FASTTEXT) for word in words if word.startswith(FASTTEXT)]
        if not labels:
            raise InputError(f"{where}, line {number}: expected {FASTTEXT} and a label, got {shorten(line)}")
        text = " ".join(word for word in words if not word.startswith(FASTTEXT))
        yield {"text": text.strip(), "label": labels[0] if len(labels) == 1 else labels, "labels": labels}


def _trec(lines: Iterator[tuple[int, str]], where: str) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        match = TREC.fullmatch(line.rstrip())
        if not match:
            raise InputError(f"{where}, line {number}: expected COARSE:fine and a question, got {shorten(line)}")
        coarse, fine, text = match.groups()
        yield {"text": text, "label": coarse, "fine_label": f"{coarse}:{fine}"}


def _wiki(lines: Iterator[tuple[int, str]], where: str) -> Iterator[Row]:
    """Articles between <doc id= url= title=> and </doc>, without the title that their text begins with."""
    row, start, text = Row(), 0, list[str]()
    for number, line in lines:
        if not start:
            match = WIKI_START.fullmatch(line)
            if line.strip() and not match:
                raise InputError(f"{where}, line {number}: expected <doc ...>, got {shorten(line)}")
            if match:
                row = {name: html.unescape(value) for name, value in ATTRIBUTE.findall(match[1])}
                start, text = number, []
        elif line.strip() == WIKI_END:
            yield row | {"text": "\n".join(text[1:] if text[:1] == [row.get("title")] else text).strip()}
            start = 0
        else:
            text.append(line)
    if start:
        raise InputError(f"{where}, line {start}: <doc ...> without {WIKI_END}; is the file whole?")


def _resolved(documents: Documents, sample: list[str]) -> Documents:
    if documents != "auto":
        return documents
    filled = [number for number, line in enumerate(sample) if line.strip()]
    return "blank_line" if filled and len(filled) < filled[-1] - filled[0] + 1 else "line"


def _plain(lines: Iterator[tuple[int, str]], documents: Documents) -> Iterator[Row]:
    if documents == "line":
        yield from ({"text": line} for _, line in lines)
    elif documents == "file":
        yield {"text": "\n".join(line for _, line in lines)}
    else:
        for blank, group in groupby(lines, key=lambda pair: not pair[1].strip()):
            if not blank:
                yield {"text": "\n".join(line for _, line in group)}
