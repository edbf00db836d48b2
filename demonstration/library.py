"""The task `library`: which library does a passage document, when its name is blanked."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from demonstration.layout import Layout
from demonstration.prose import Parsed, is_prose, plain, sentences
from demonstration.selection import Candidate, order

SHORTEST, LONGEST = 15, 80  # words of a passage
ENOUGH = 40  # words after which a passage ends with its sentence
MOST_PASSAGES = 3  # of one docstring
NOTATION = re.compile(r"[\\{}`$|]| : |^[^A-Z]")  # what a sentence of clean prose does not have
BLANK = "LIBRARY"
ALIASES = {"np", "pd", "nn", "F", "nx", "plt", "sp"}  # first parts of a path that no package defines
ALIAS = re.compile(r"\bimport (\w+) as (\w+)\b")
DOTTED = re.compile(r"(?<![\w./-])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


def candidates(parsed: list[Parsed], *, import_names: dict[str, list[str]]) -> Iterator[Candidate]:
    """Passages of some sentences of consecutive prose, labelled with the distribution they come from."""
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
