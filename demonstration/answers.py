"""The task `answers`: questions on a function, each answered by a span of a passage of its documentation.

A passage is a docstring's summary and described items as running text. It is asked only what it answers in exactly one
place: some kinds of question have a cue in the passage ("Returns:"), others must find a parameter's name in it.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from demonstration.docstrings import Docstring
from demonstration.layout import Item, Layout
from demonstration.prose import Parsed, entry, is_prose, plain, runs, sentences
from demonstration.selection import Candidate, order

LONGEST_CONTEXT = 100  # words
LONGEST_ANSWER = 20  # words
FEWEST_LINES = 2  # of a context: with one there would be nothing to choose from
MOST_QUESTIONS = 3  # on one context
RARE = frozenset({"raised", "raised when", "version", "values", "shape"})  # preferred where they are possible
# Shares of the rows: kinds with a cue in the context beside kinds that must find a name in it.
SHARES = {
    "does": 0.10, "returned": 0.18, "returned type": 0.10, "raised": 0.06, "raised when": 0.07, "default": 0.16,
    "type": 0.14, "shape": 0.06, "values": 0.06, "meaning": 0.14, "version": 0.05,
}  # fmt: skip
LARGEST_ANSWER = 0.015  # share of the rows with one and the same answer, such as None or int

TITLES = {"parameters": "Parameters:", "returns": "Returns:", "raises": "Raises:", "attributes": "Attributes:"}
FORMS = {
    "does": ("What does {owner} do?", "What is {owner} for?"),
    "returned": ("What does {owner} return?", "What is returned by {owner}?"),
    "returned type": ("What type does {owner} return?", "Of what type is the value that {owner} returns?"),
    "raised": ("Which exception does {owner} raise?", "What is raised by {owner}?"),
    "raised when": ("When does {owner} raise {name}?", "In which case is {name} raised?"),
    "default": ("What is the default value of {name}?", "What is {name} by default?"),
    "type": ("What type is {name}?", "Of what type is {name}?"),
    "shape": ("What shape does {name} have?", "What is the shape of {name}?"),
    "values": ("Which values can {name} take?", "What are the choices for {name}?"),
    "meaning": ("What is {name}?", "What is the meaning of {name}?"),
    "Added in": ("In which version was {name} added?", "Since which version is there {name}?"),
    "Deprecated since": ("Since which version is {name} deprecated?", "In which version was {name} deprecated?"),
    "Changed in": ("In which version did {name} change?", "Which version changed {name}?"),
}

LEFT_OVER = re.compile(r"[`\\]|::|%\(")
VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|-?\d+(?:\.\d+)?(?:e-?\d+)?|True|False|None|[a-zA-Z_]\w*(?:\.\w+)*)"
DEFAULT_SIGN = r"(?:s to|=| is|:| value is| =| value:) ?| (?=[-\"'\d]|(?:True|False|None)\b)"
DEFAULT = re.compile(rf"\b[Dd]efault(?:{DEFAULT_SIGN}){VALUE}(?=[),;]|\.(?:\s|$)|$)")
NO_DEFAULTS = frozenset("value values the is to a".split())  # words that stand where a default could
SHAPE = re.compile(r"\bof shape ?=? ?(?P<value>\([^()]*\))")
CHOICES = re.compile(r"(?P<value>\{[^{}]*,[^{}]*\})")
TYPE_END = (
    r",? of shape\b|,? shape\b|, (?:same|length|with|if|returned|containing)\b"
    r"|[,;]? ?\(?(?:optional|default|keyword-only)"
)
TYPE = re.compile(rf"^(?P<value>.+?)(?:(?:{TYPE_END}).*)?$")
NO_TYPE = re.compile(r"^(?:A|An|The) |\b(?:the|as|which|that)\b|\.$")  # a description where a type should be
VERSION = re.compile(r"\b(?P<event>Added in|Deprecated since|Changed in) version (?P<value>\d[\w.]*\w)")


@dataclass(frozen=True)
class Line:
    """A piece of a context: the summary or an item; `start` counts characters from the beginning of the context."""

    text: str
    item: Item | None
    start: int = 0


@dataclass(frozen=True)
class Question:
    """A question with its answer, which starts at the character `start` of the context.

    Its repr is part of the key by which questions are drawn: other names here would draw others.
    """

    kind: str  # a key of SHARES
    form: str  # a key of FORMS
    name: str  # what the question is on
    start: int
    answer: str


def share(group: str) -> float:
    """The share of the rows that a kind of question, or one answer, has at most."""
    return SHARES.get(group, LARGEST_ANSWER)


def candidates(parsed: Iterable[Parsed]) -> Iterator[Candidate]:
    """Questions on the contexts of each docstring; every answer is context[start:start + len(answer)]."""
    for docstring, layout in parsed:
        owner = docstring.name.rsplit(".", 1)[-1]
        if not layout.items or not owner or owner == "__init__":
            continue
        ambiguous = _ambiguous(layout)
        for number, lines in enumerate(windows(layout)):
            context = " ".join(line.text for line in lines)
            if len(lines) < FEWEST_LINES or LEFT_OVER.search(context):
                continue
            unit = f"{docstring.package}/{docstring.module}.{docstring.name}/{number}"
            possible = [question for question in questions(lines) if question.kind not in ambiguous]
            preferred = sorted(possible, key=lambda question: (question.kind not in RARE, order(f"{unit}{question}")))
            for question in preferred[:MOST_QUESTIONS]:
                yield _candidate(question, docstring=docstring, owner=owner, unit=unit, context=context)


def _ambiguous(layout: Layout) -> set[str]:
    """The kinds of question that have several answers, because several values are returned or exceptions raised."""
    sections = [item.section for item in layout.items]
    returned = {"returned", "returned type"} if sections.count("returns") > 1 else set()
    return returned | ({"raised"} if sections.count("raises") > 1 else set())


def _candidate(question: Question, *, docstring: Docstring, owner: str, unit: str, context: str) -> Candidate:
    assert context[question.start :].startswith(question.answer), (context, question)
    digest = order(f"{unit}/{question.form}/{question.name}")
    forms = FORMS[question.form]
    form = forms[int(digest, 16) % len(forms)]
    row: dict[str, object] = {
        "id": digest[:24],
        "question": form.format(owner=owner, name=question.name.format(owner=owner)),
        "context": context,
        "answers": {"text": [question.answer], "answer_start": [question.start]},
    }
    return Candidate(docstring.module, unit, (question.kind, f"= {question.answer}"), context, row)


def windows(layout: Layout) -> Iterator[list[Line]]:
    """The summary and the items of a docstring, in their order, cut into contexts of at most the longest length."""
    for lines in runs(_lines(layout), size=_count_words, most=LONGEST_CONTEXT):
        if _count_words(lines[0]) <= LONGEST_CONTEXT:
            starts = itertools.accumulate((len(line.text) + 1 for line in lines), initial=0)
            yield [Line(line.text, line.item, start) for line, start in zip(lines, starts, strict=False)]


def _count_words(line: Line) -> int:
    return len(line.text.split())


def _lines(layout: Layout) -> list[Line]:
    lines = [Line(text, None) for text in _summary(layout)]
    section = ""
    for item in layout.items:
        if item.section == "attributes":
            continue
        description = [plain(sentence) for paragraph in item.paragraphs for sentence in sentences(paragraph)]
        text = " ".join(sentence if sentence[-1] in ".:!?" else f"{sentence}." for sentence in description[:3])
        title = f"{TITLES[item.section]} " if item.section != section else ""
        section = item.section
        body = entry(item, description=text)
        lines.append(Line(title + (body if body.endswith(".") else f"{body}."), item))
    return lines


def _summary(layout: Layout) -> list[str]:
    """The first two sentences of a docstring, if its first one is prose."""
    opening = [plain(sentence) for paragraph in layout.paragraphs[:2] for sentence in sentences(paragraph)][:2]
    whole = [f"{text.rstrip('.')}." for text in opening if is_prose(text) and re.search(r"[\w)\"'.]$", text)]
    return whole if whole and whole[0] == f"{opening[0].rstrip('.')}." else []


def questions(lines: list[Line]) -> Iterator[Question]:
    """Every question that a context answers in exactly one place."""
    returned = [line for line in lines if line.item and line.item.section == "returns"]
    raised = [line for line in lines if line.item and line.item.section == "raises"]
    names = [line.item.name for line in lines if line.item]
    if lines[0].item is None and len(lines) > 1:
        yield from _question("does", "{owner}", lines[0], lines[0].text.rstrip("."))
    if len(returned) == 1 and returned[0].item:
        yield from _on_returned(returned[0], returned[0].item)
    if len(raised) == 1 and raised[0].item:
        yield from _question("raised", "{owner}", raised[0], raised[0].item.name)
    for line in lines:
        if line.item is None:
            yield from _on_version(line, "{owner}")
        elif re.fullmatch(r"(?!self$)\w[\w.]*", line.item.name) and names.count(line.item.name) == 1:
            yield from _on_item(line, line.item)


def _on_returned(line: Line, item: Item) -> Iterator[Question]:
    kind = plain(item.type)
    if item.paragraphs:
        yield from _question("returned", "{owner}", line, _meaning(item))
        yield from _question("returned type", "{owner}", line, "" if NO_TYPE.search(kind) else _value(TYPE, kind))
    elif is_prose(kind):
        yield from _question("returned", "{owner}", line, kind.rstrip("."))


def _on_item(line: Line, item: Item) -> Iterator[Question]:
    kind = plain(item.type)
    if item.section == "raises":
        yield from _question("raised when", item.name, line, _meaning(item))
        return
    if item.section == "parameters":
        yield from _on_default(line, item.name)
    if not CHOICES.search(kind) and not NO_TYPE.search(kind):
        yield from _question("type", item.name, line, _value(TYPE, kind))
    yield from _question("shape", item.name, line, _value(SHAPE, kind))
    yield from _question("values", item.name, line, _value(CHOICES, kind))
    yield from _question("meaning", item.name, line, _meaning(item))
    yield from _on_version(line, item.name)


def _on_default(line: Line, name: str) -> Iterator[Question]:
    matches = [match for match in DEFAULT.finditer(line.text) if match["value"] not in NO_DEFAULTS]
    if len({match["value"] for match in matches}) == 1:
        yield Question("default", "default", name, line.start + matches[0].start("value"), matches[0]["value"])


def _on_version(line: Line, name: str) -> Iterator[Question]:
    matches = list(VERSION.finditer(line.text))
    for match in matches if len(matches) == 1 else []:
        yield Question("version", match["event"], name, line.start + match.start("value"), match["value"])


def _question(kind: str, name: str, line: Line, answer: str) -> Iterator[Question]:
    """The question, if its answer stands in the line exactly once and is short enough."""
    if answer and len(answer.split()) <= LONGEST_ANSWER and line.text.count(answer) == 1:
        yield Question(kind, kind, name, line.start + line.text.index(answer), answer)


def _value(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match["value"].strip(" ,;") if match else ""


def _meaning(item: Item) -> str:
    """The first sentence of an item's description, without its full stop."""
    first = sentences(item.paragraphs[0])[:1] if item.paragraphs else []
    text = plain(first[0]).rstrip(".:;") if first else ""
    return text if is_prose(text) else ""
