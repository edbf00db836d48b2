"""The task `entities`: which words of a sentence name a parameter, a class, a function or a module."""

import itertools
import re
from collections.abc import Iterable, Iterator

from stages.sources.documentation import names
from stages.sources.documentation.docstrings import Docstring
from stages.sources.documentation.layout import Layout
from stages.sources.documentation.markup import Segment, segments
from stages.sources.documentation.prose import is_prose, sentences
from stages.sources.documentation.splits import Candidate, order

SHORTEST, LONGEST = 6, 50  # words of a sentence
WORD = re.compile(r"(?:[A-Za-z]\.){2,}|\d+(?:\.\d+)+|\w+(?:[-']\w+)*|[^\w\s]")
MOST_SENTENCES = 12  # of one docstring
LEFT_OVER = re.compile(r"[`$\\|{}*~^]|::|__|\w\(|:\w+:|\]_|@|//|\.\.\.|\w/\w|^ ?s\b|--|\w{2}\.[a-zA-Z_]\w")
CODE_SHAPE = re.compile(r"\w_\w|_\w|\w_$|[a-z][A-Z]|[A-Z]{2,}[a-z]{2,}")
NAMES_WITHOUT = "none"  # the group of sentences that name nothing


def candidates(parts: Iterable[tuple[Docstring, Layout]], *, index: names.Index) -> Iterator[Candidate]:
    """Sentences of which every marked-up name is resolved and in which no name goes unmarked."""
    for docstring, layout in parts:
        parameters = frozenset(docstring.parameters) | {
            part.strip(" *") for item in layout.items if item.section == "parameters" for part in item.name.split(",")
        }
        described = [paragraph for item in layout.items for paragraph in item.paragraphs]
        found = [part for paragraph in [*layout.paragraphs, *described] for part in sentences(paragraph)]
        tagged = (
            tag(sentence, docstring=docstring, parameters=parameters, index=index)
            for sentence in sorted(set(found), key=order)
        )
        for words, tags in itertools.islice(filter(None, tagged), MOST_SENTENCES):
            unit = f"{docstring.package}/{docstring.module}.{docstring.name}"
            group = "some" if any(found != "O" for found in tags) else NAMES_WITHOUT
            yield Candidate(docstring.module, unit, (group,), " ".join(words), {"words": words, "tags": tags})


def tag(
    sentence: str, *, docstring: Docstring, parameters: frozenset[str], index: names.Index
) -> tuple[list[str], list[str]] | None:
    """(words, BIO tags) of a sentence with its mark-up removed; None where the tags are not sure."""
    if not sentence.endswith(".") or not sentence[:1].isupper() and sentence[:1] not in "`:[*":
        return None
    parts = segments(sentence)
    if not SHORTEST <= len(sentence.split()) <= LONGEST or not is_prose("".join(part.text for part in parts)):
        return None
    words: list[str] = []
    tags: list[str] = []
    unmarked: list[str] = []
    for position, part in enumerate(parts):
        kind = "O" if part.role in ("", "link", "citation") else _kind(part, docstring, parameters, index)
        if kind is None or (part.role and not _stands_apart(parts, position)):
            return None
        found = WORD.findall(part.text.removesuffix("()"))
        if not part.role or part.role in ("link", "emphasis", "strong") and kind == "O":
            if LEFT_OVER.search(part.text):
                return None
            unmarked.extend(found)
        words.extend(found)
        tags.extend(_tags(found, kind, "=" in part.text))
    named = {word for word, found in zip(words, tags, strict=True) if found != "O"}
    if any(_is_unmarked_name(word, named, docstring, parameters, index) for word in unmarked):
        return None
    return words, tags


def _kind(part: Segment, docstring: Docstring, parameters: frozenset[str], index: names.Index) -> str | None:
    if part.role in ("emphasis", "strong") and part.target not in parameters:
        return "O"
    return names.resolve(part, docstring=docstring, parameters=parameters, names=index)


def _tags(words: list[str], kind: str, is_keyword: bool) -> list[str]:
    if kind == "O":
        return ["O"] * len(words)
    rest = "O" if is_keyword else f"I-{kind}"
    return [f"B-{kind}", *[rest] * (len(words) - 1)]


def _stands_apart(parts: list[Segment], position: int) -> bool:
    """Whether white space or punctuation, not a letter or a hyphen, is on both sides of a marked-up part."""
    before = parts[position - 1].text[-1:] if position else ""
    after = parts[position + 1].text[:1] if position + 1 < len(parts) else ""
    return not re.match(r"[\w\-=.\[(]", before.replace("(", "")) and not re.match(r"[\w\-=\[(']", after)


def _is_unmarked_name(
    word: str, named: set[str], docstring: Docstring, parameters: frozenset[str], index: names.Index
) -> bool:
    """Whether a word outside mark-up may name something; the article "a" is no parameter unless it is marked as one."""
    if word in named and re.match(r"\w", word) or (word in parameters and word != "a"):
        return True
    if CODE_SHAPE.search(word) or word in index.roots or (word in names.TYPES and word not in names.ENGLISH_TYPES):
        return True
    kinds = index.kinds.get((docstring.package, word), frozenset())
    return word[:1].isupper() and "class" in kinds
