"""Plain prose out of a docstring's layout: documents for the corpus, sentences for the tasks."""

import re
from collections.abc import Iterable

from stages.sources.documentation.docstrings import Docstring
from stages.sources.documentation.layout import Item, Layout
from stages.sources.documentation.markup import plain

BOUNDARY = re.compile(r"[.!?]\s+(?=[\"'(`*:\[]*[A-Z0-9`*:])")
ABBREVIATION = re.compile(r"(?:^|\W)(?:e\.g|i\.e|cf|vs|Fig|Eq|Sec|al|Ref|etc|No|resp|approx|[A-Z])\.$")
LONGEST_ABBREVIATION = 9  # characters, with what is before it
SHORTEST_PROSE = 3  # words
FEWEST_WORDS = 0.55  # of what white space separates
MOST_MARKS = 0.08  # of the characters
PLAIN_WORD = re.compile(r"(?<!\S)[\"'(]*[A-Za-z][a-z'-]*[.,;:!?)\"']*(?!\S)")
TEMPLATE = re.compile(r"%\(\w+\)s|\{\w*\}|>>>|\\\\")  # filled in at import time, or an example
CODE_MARKS = re.compile(r"[{}\\=<>|_^@#$%~/]|\d")
DOCUMENT_LENGTH = 20_000  # characters; a longer module is cut between two docstrings


def sentences(paragraph: str) -> list[str]:
    """A paragraph cut where a sentence ends, mark-up kept."""
    found, start = [], 0
    for match in BOUNDARY.finditer(paragraph):
        end = match.start() + 1
        if not ABBREVIATION.search(paragraph[max(0, end - LONGEST_ABBREVIATION) : end]):
            found.append(paragraph[start:end])
            start = match.end()
    return [*found, paragraph[start:]] if start < len(paragraph) else found


def is_prose(text: str) -> bool:
    """Whether a plain text reads as English: mostly words, not notation."""
    length, words = text.count(" ") + 1, len(PLAIN_WORD.findall(text))
    if length < SHORTEST_PROSE or TEMPLATE.search(text):
        return False
    return words >= FEWEST_WORDS * length and len(CODE_MARKS.findall(text)) <= MOST_MARKS * len(text)


def entry(item: Item, *, description: str) -> str:
    """An item as one line: "axis (int, optional): The axis to sum over."."""
    label = f"{item.name} ({plain(item.type)})" if item.name and item.type else item.name or plain(item.type)
    return f"{label}: {description}" if label and description else label or description


def documents(parts: Iterable[tuple[Docstring, Layout]], *, seen: set[str]) -> list[tuple[str, str]]:
    """(id, text) of the documents of one module; paragraphs in `seen` are left out, and new ones added to it."""
    texts: list[str] = []
    found: list[str] = []
    identity, length = "", 0
    for docstring, layout in parts:
        identity = f"{docstring.package}/{docstring.module}"
        text = "\n".join(_lines(layout, seen))
        if not text:
            continue
        if texts and length + len(text) > DOCUMENT_LENGTH:
            found.append("\n\n".join(texts))
            texts, length = [], 0
        texts.append(text)
        length += len(text)
    if not texts:
        return []
    found.append("\n\n".join(texts))
    return [(identity if number == 0 else f"{identity}/{number}", text) for number, text in enumerate(found)]


def _lines(layout: Layout, seen: set[str]) -> list[str]:
    lines = [plain(paragraph) for paragraph in layout.paragraphs]
    kept = [line for line in lines if is_prose(line) and _is_new(line, seen)]
    for item in layout.items:
        body = [line for line in map(plain, item.paragraphs) if is_prose(line)]
        if body and _is_new(f"{item.name} {body[0]}", seen):
            kept.append(entry(item, description=body[0]))
            kept.extend(line for line in body[1:] if _is_new(line, seen))
    return kept


def _is_new(line: str, seen: set[str]) -> bool:
    key = re.sub(r"[\W\d_]+", " ", line.lower())
    if key in seen:
        return False
    seen.add(key)
    return True
