"""Plain prose out of a docstring's layout: sentences without mark-up, and what consists of them alone.

That is the documents of the corpus, and the task `library`: which library does a passage document, when its name is
blanked.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from demonstration.docstrings import Docstring
from demonstration.layout import Item, Layout
from demonstration.selection import Candidate, order

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

# Passages
SHORTEST, LONGEST = 15, 80  # words
ENOUGH = 40  # words after which a passage ends with its sentence
MOST_PASSAGES = 3  # of one docstring
NOTATION = re.compile(r"[\\{}`$|]| : |^[^A-Z]")  # what a sentence of clean prose does not have
BLANK = "LIBRARY"
ALIASES = {"np", "pd", "nn", "F", "nx", "plt", "sp"}  # first parts of a path that no package defines
ALIAS = re.compile(r"\bimport (\w+) as (\w+)\b")
DOTTED = re.compile(r"(?<![\w./-])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")

T = TypeVar("T")
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


def documents(identity: str, layouts: Iterable[Layout], *, seen: set[str]) -> Iterator[tuple[str, str]]:
    """(id, text) of the documents of one module; paragraphs in `seen` are left out, and new ones added to it."""
    texts = filter(None, ("\n".join(_lines(layout, seen)) for layout in layouts))
    for number, run in enumerate(runs(texts, size=len, most=DOCUMENT_LENGTH)):
        yield f"{identity}/{number}" if number else identity, "\n\n".join(run)


def runs(items: Iterable[T], *, size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Consecutive items whose sizes add up to at most `most`; a larger item is alone."""
    run: list[T] = []
    for item in items:
        if run and sum(map(size, run)) + size(item) > most:
            yield run
            run = []
        run.append(item)
    if run:
        yield run


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


def library_candidates(parsed: list[Parsed], *, import_names: dict[str, list[str]]) -> Iterator[Candidate]:
    """Passages of some sentences of consecutive prose, labelled with the distribution that they come from."""
    pattern = name_pattern([docstring.text for docstring, _ in parsed], import_names=import_names)
    roots = {root for names in import_names.values() for root in names} | ALIASES
    for docstring, layout in parsed:
        if len(docstring.text.split()) < SHORTEST:
            continue
        for passage in sorted(_passages(layout), key=order)[:MOST_PASSAGES]:
            text = blank(passage, pattern=pattern, roots=roots)
            unit = f"{docstring.package}/{docstring.module}.{docstring.name}"
            row: dict[str, object] = {"text": text, "label": docstring.package}
            yield Candidate(docstring.module, unit, (docstring.package,), text, row)


def _passages(layout: Layout) -> Iterator[str]:
    """Runs of whole sentences between the shortest and the longest length, in their order."""
    run: list[str] = []
    length = 0
    for sentence in (plain(part) for paragraph in layout.all_paragraphs() for part in sentences(paragraph)):
        words = len(sentence.split())
        if not is_prose(sentence) or NOTATION.search(sentence) or sentence[-1] != "." or words > LONGEST:
            continue
        if length + words > LONGEST:
            yield " ".join(run)
            run, length = [], 0
        run.append(sentence)
        length += words
        if length >= ENOUGH:
            yield " ".join(run)
            run, length = [], 0
    if length >= SHORTEST:
        yield " ".join(run)


def name_pattern(texts: Iterable[str], *, import_names: dict[str, list[str]]) -> re.Pattern[str]:
    """Matches every library's name, whatever it is part of, and the aliases under which examples import it."""
    roots = {root for names in import_names.values() for root in names}
    spellings = {re.sub(r"-", "[-_ ]?", name) for name in import_names} | roots
    imports = Counter(match for text in texts for match in ALIAS.findall(text))
    aliases = sorted({alias for (root, alias), count in imports.items() if root in roots and count >= SHORTEST})
    whole = "|".join(re.escape(alias) for alias in aliases)
    inside = "|".join(sorted(spellings, key=lambda name: (-len(name), name)))
    return re.compile(rf"(?i:[\w-]*(?:{inside})\w*)" + (rf"|\b(?:{whole})\b" if whole else ""))


def blank(text: str, *, pattern: re.Pattern[str], roots: set[str]) -> str:
    """A passage without library names; of a dotted path inside a library only the last part stays."""

    def last_part(match: re.Match[str]) -> str:
        first, *_, last = match[0].split(".")
        return last if first in roots else match[0]

    return pattern.sub(BLANK, DOTTED.sub(last_part, text))
