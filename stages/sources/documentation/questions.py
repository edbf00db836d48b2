"""What can be asked on a passage of documentation, and the span that answers it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stages.sources.documentation.layout import Item
from stages.sources.documentation.markup import plain
from stages.sources.documentation.prose import is_prose, sentences

LONGEST_ANSWER = 20  # words
VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|-?\d+(?:\.\d+)?(?:e-?\d+)?|True|False|None|[a-zA-Z_]\w*(?:\.\w+)*)"
DEFAULT_SIGN = r"(?:s to|=| is|:| value is| =| value:) ?| (?=[-\"'\d]|(?:True|False|None)\b)"
DEFAULT = re.compile(rf"\b[Dd]efault(?:{DEFAULT_SIGN}){VALUE}(?=[),;]|\.(?:\s|$)|$)")
SHAPE = re.compile(r"\bof shape ?=? ?(?P<value>\([^()]*\))")
CHOICES = re.compile(r"(?P<value>\{[^{}]*,[^{}]*\})")
TYPE_END = (
    r",? of shape\b|,? shape\b|, (?:same|length|with|if|returned|containing)\b"
    r"|[,;]? ?\(?(?:optional|default|keyword-only)"
)
TYPE = re.compile(rf"^(?P<value>.+?)(?:(?:{TYPE_END}).*)?$")
NO_TYPE = re.compile(r"^(?:A|An|The) |\b(?:the|as|which|that)\b|\.$")  # a description where a type should be
NO_DEFAULTS = frozenset("value values the is to a".split())  # words that stand where a default could
VERSION = re.compile(r"\b(?P<event>Added in|Deprecated since|Changed in) version (?P<value>\d[\w.]*\w)")
QUESTIONS = {
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


@dataclass(frozen=True)
class Line:
    """A piece of a context: the summary or an item; `start` counts characters from the beginning of the context."""

    text: str
    item: Item | None
    start: int = 0


@dataclass(frozen=True)
class Question:
    kind: str
    form: str  # a key of QUESTIONS
    name: str
    start: int
    answer: str


def questions(lines: list[Line]) -> Iterator[Question]:
    """Every question that a context answers in exactly one place."""
    returned = [line for line in lines if line.item and line.item.section == "returns"]
    raised = [line for line in lines if line.item and line.item.section == "raises"]
    names = [line.item.name for line in lines if line.item]
    if lines[0].item is None and len(lines) > 1:
        yield from _question("does", "{owner}", lines[0], lines[0].text.rstrip("."))
    if len(returned) == 1:
        yield from _on_returned(returned[0])
    if len(raised) == 1 and raised[0].item:
        yield from _question("raised", "{owner}", raised[0], raised[0].item.name)
    for line in lines:
        if line.item is None:
            yield from _on_version(line, "{owner}")
        elif re.fullmatch(r"(?!self$)\w[\w.]*", line.item.name) and names.count(line.item.name) == 1:
            yield from _on_item(line, line.item)


def _on_returned(line: Line) -> Iterator[Question]:
    item = line.item
    assert item is not None
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
    found = [match for match in DEFAULT.finditer(line.text) if match["value"] not in NO_DEFAULTS]
    if found and len({match["value"] for match in found}) == 1:
        yield Question("default", "default", name, line.start + found[0].start("value"), found[0]["value"])


def _on_version(line: Line, name: str) -> Iterator[Question]:
    found = list(VERSION.finditer(line.text))
    if len(found) == 1:
        match = found[0]
        yield Question("version", match["event"], name, line.start + match.start("value"), match["value"])


def _value(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found["value"].strip(" ,;") if found else ""


def _meaning(item: Item) -> str:
    """The first sentence of an item's description, without its full stop."""
    first = sentences(item.paragraphs[0])[:1] if item.paragraphs else []
    text = plain(first[0]).rstrip(".:;") if first else ""
    return text if is_prose(text) else ""


def _question(kind: str, name: str, line: Line, answer: str) -> Iterator[Question]:
    """The question on an answer that is in the line once and is short enough."""
    if answer and len(answer.split()) <= LONGEST_ANSWER and line.text.count(answer) == 1:
        yield Question(kind, kind, name, line.start + line.text.index(answer), answer)
