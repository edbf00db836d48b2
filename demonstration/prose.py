"""Plain prose out of a docstring's layout: mark-up taken off, sentences for the tasks, documents for the corpus."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from demonstration.docstrings import Docstring
from demonstration.layout import Item, Layout

# Mark-up inside a line: reStructuredText and Markdown.
INLINE = re.compile(
    r":(?:[a-z]+:)?(?P<role>[a-z-]+):`(?P<target>[^`]+)`"
    r"|``(?P<literal>[^`]+)``"
    r"|\[`(?P<reference>[^`\]]+)`\](?:\([^)\s]*\))?"
    r"|`(?P<title>[^`<]+?)\s*<(?P<address>[^`>]+)>`_{0,2}"
    r"|`(?P<code>[^`]+)`_{0,2}"
    r"|\[(?P<label>[^\]]+)\]\((?:[^)\s]*)\)"
    r"|\*\*(?P<strong>[^*\s](?:[^*]*[^*\s])?)\*\*"
    r"|(?<![\w*])\*(?P<emphasis>[A-Za-z][^*]*?(?<!\s))\*(?![\w*])"
    r"|(?P<citation>\[(?:\d+|\w+\d{2,4}\w?|[A-Z]\w+)\]_)"
)
HOLE = re.compile(r" +(?=[ .,;])(?! ?\.\w)")  # what a citation leaves behind
MARKS = re.compile(r"[`*\[]")
TITLED = re.compile(r"^(?P<title>[^<]+?)\s*<(?P<target>[^>]+)>$")

# Sentences
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

Parsed = tuple[Docstring, Layout]
"""A docstring and the layout that its text has."""


@dataclass(frozen=True)
class Segment:
    """A run of prose; `role` is empty for plain text, else the kind of mark-up, and `target` what it points at."""

    text: str
    role: str = ""
    target: str = ""


def segments(paragraph: str) -> list[Segment]:
    """A paragraph as plain runs and marked-up runs; the texts joined are the plain prose."""
    if not MARKS.search(paragraph):
        return [Segment(paragraph)]
    runs: list[Segment] = []
    end = 0
    for match in INLINE.finditer(paragraph):
        runs.append(Segment(paragraph[end : match.start()]))
        runs.append(_marked(match))
        end = match.end()
    runs.append(Segment(paragraph[end:]))
    return [run for run in runs if run.text]


def _marked(match: re.Match[str]) -> Segment:
    if match["role"]:
        return _with_role(match["role"], match["target"].strip())
    if match["reference"]:
        return _with_role("obj", match["reference"].strip())
    if match["title"]:
        return Segment(match["title"], "link")
    for name in ("literal", "code", "label", "strong", "emphasis"):
        if match[name]:
            role = {"literal": "code", "label": "link"}.get(name, name)
            return Segment(match[name].strip(), role, match[name].strip())
    return Segment("", "citation")


def _with_role(role: str, content: str) -> Segment:
    titled = TITLED.match(content)
    if titled:
        return Segment(titled["title"], role, titled["target"].lstrip("~!."))
    target = content.lstrip("~!.").removesuffix("()")
    shown = target.rsplit(".", 1)[-1] if content.startswith("~") else target
    return Segment(shown, role, target)


def plain(paragraph: str) -> str:
    """A paragraph without its mark-up."""
    text = "".join(segment.text for segment in segments(paragraph))
    if "\\" in text:
        text = text.replace("\\ ", "").replace("\\*", "*").replace("\\_", "_")
    return HOLE.sub("", text).strip() if " " in text else text


def sentences(paragraph: str) -> list[str]:
    """A paragraph cut where a sentence ends, mark-up kept."""
    finished, start = [], 0
    for match in BOUNDARY.finditer(paragraph):
        end = match.start() + 1
        if not ABBREVIATION.search(paragraph[max(0, end - LONGEST_ABBREVIATION) : end]):
            finished.append(paragraph[start:end])
            start = match.end()
    return [*finished, paragraph[start:]] if start < len(paragraph) else finished


def is_prose(text: str) -> bool:
    """Whether a plain text reads as English: mostly words, little notation."""
    length, words = text.count(" ") + 1, len(PLAIN_WORD.findall(text))
    if length < SHORTEST_PROSE or TEMPLATE.search(text):
        return False
    return words >= FEWEST_WORDS * length and len(CODE_MARKS.findall(text)) <= MOST_MARKS * len(text)


def entry(item: Item, *, description: str) -> str:
    """An item as one line: "axis (int, optional): The axis to sum over."."""
    label = f"{item.name} ({plain(item.type)})" if item.name and item.type else item.name or plain(item.type)
    return f"{label}: {description}" if label and description else label or description


def documents(module: Iterable[Parsed], *, seen: set[str]) -> list[tuple[str, str]]:
    """(id, text) of the documents of one module; paragraphs in `seen` are left out, and new ones added to it."""
    finished: list[str] = []
    texts: list[str] = []
    identity, length = "", 0
    for docstring, layout in module:
        identity = f"{docstring.package}/{docstring.module}"
        text = "\n".join(_lines(layout, seen))
        if not text:
            continue
        if texts and length + len(text) > DOCUMENT_LENGTH:
            finished.append("\n\n".join(texts))
            texts, length = [], 0
        texts.append(text)
        length += len(text)
    if texts:
        finished.append("\n\n".join(texts))
    return [(identity if number == 0 else f"{identity}/{number}", text) for number, text in enumerate(finished)]


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
