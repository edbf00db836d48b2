"""The task `library`: which library does a passage document, when its name is blanked."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from stages.sources.documentation.docstrings import Docstring
from stages.sources.documentation.layout import Layout
from stages.sources.documentation.markup import plain
from stages.sources.documentation.prose import is_prose, sentences
from stages.sources.documentation.splits import Candidate, order

SHORTEST, LONGEST = 15, 80  # words of a passage
ENOUGH = 40  # words after which a passage ends with its sentence
MOST_PASSAGES = 3  # of one docstring
NOTATION = re.compile(r"[\\{}`$|]| : |^[^A-Z]")  # what a sentence of clean prose does not have
BLANK = "LIBRARY"
ALIAS = re.compile(r"\bimport (\w+) as (\w+)\b")
DOTTED = re.compile(r"(?<![\w./-])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


def candidates(parts: Iterable[tuple[Docstring, Layout]], *, import_names: dict[str, list[str]]) -> Iterator[Candidate]:
    """Passages of some sentences of consecutive prose, labelled with the distribution they come from."""
    parts = list(parts)
    name = blanked_names([docstring.text for docstring, _ in parts], import_names=import_names)
    roots = {root for found in import_names.values() for root in found} | {"np", "pd", "nn", "F", "nx", "plt", "sp"}
    for docstring, layout in parts:
        if len(docstring.text.split()) < SHORTEST:
            continue
        for passage in sorted(passages(layout), key=order)[:MOST_PASSAGES]:
            text = blank(passage, name=name, roots=roots)
            unit = f"{docstring.package}/{docstring.module}.{docstring.name}"
            row: dict[str, object] = {"text": text, "label": docstring.package}
            yield Candidate(docstring.module, unit, (docstring.package,), text, row)


def passages(layout: Layout) -> Iterator[str]:
    """Runs of whole sentences between the shortest and the longest length, in their order."""
    run: list[str] = []
    length = 0
    described = [paragraph for item in layout.items for paragraph in item.paragraphs]
    for sentence in (plain(part) for paragraph in [*layout.paragraphs, *described] for part in sentences(paragraph)):
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


def blanked_names(texts: Iterable[str], *, import_names: dict[str, list[str]]) -> re.Pattern[str]:
    """A pattern for every library's name, whatever it is part of, and for the aliases its examples import it under."""
    roots = {root for found in import_names.values() for root in found}
    spelled = {re.sub(r"-", "[-_ ]?", name) for name in import_names} | roots
    imports = Counter(match for text in texts for match in ALIAS.findall(text))
    aliases = sorted({alias for (root, alias), count in imports.items() if root in roots and count >= SHORTEST})
    whole = "|".join(re.escape(alias) for alias in aliases)
    inside = "|".join(sorted(spelled, key=lambda name: (-len(name), name)))
    return re.compile(rf"(?i:[\w-]*(?:{inside})\w*)" + (rf"|\b(?:{whole})\b" if whole else ""))


def blank(text: str, *, name: re.Pattern[str], roots: set[str]) -> str:
    """A passage without library names; of a dotted path inside a library only the last part stays."""

    def last_part(match: re.Match[str]) -> str:
        first, *_, last = match[0].split(".")
        return last if first in roots else match[0]

    return name.sub(BLANK, DOTTED.sub(last_part, text))
