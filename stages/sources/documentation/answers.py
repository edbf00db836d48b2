"""The task `answers`: questions on a function, answered by a span of a passage of its documentation."""

import re
from collections.abc import Iterable, Iterator

from stages.sources.documentation.docstrings import Docstring
from stages.sources.documentation.layout import Layout
from stages.sources.documentation.markup import plain
from stages.sources.documentation.prose import entry, is_prose, sentences
from stages.sources.documentation.questions import QUESTIONS, Line, Question, questions
from stages.sources.documentation.splits import Candidate, order

LONGEST_CONTEXT = 100  # words
FEWEST_LINES = 2  # of a context: with one there would be nothing to choose from
MOST_QUESTIONS = 3  # on one context
RARE = frozenset({"raised", "raised when", "version", "values", "shape"})  # asked first where they can be asked
LEFT_OVER = re.compile(r"[`\\]|::|%\(")
TITLES = {"parameters": "Parameters:", "returns": "Returns:", "raises": "Raises:", "attributes": "Attributes:"}
# Shares of the rows: kinds with a cue in the context beside kinds that must find a name in it.
SHARES = {
    "does": 0.10,
    "returned": 0.18,
    "returned type": 0.10,
    "raised": 0.06,
    "raised when": 0.07,
    "default": 0.16,
    "type": 0.14,
    "shape": 0.06,
    "values": 0.06,
    "meaning": 0.14,
    "version": 0.05,
}
LARGEST_ANSWER = 0.015  # share of the rows with one and the same answer, such as None or int


def share(group: str) -> float:
    """The share of the rows that a kind of question, or one answer, has at most."""
    return SHARES.get(group, LARGEST_ANSWER)


def candidates(parts: Iterable[tuple[Docstring, Layout]]) -> Iterator[Candidate]:
    """Questions on the contexts of each docstring; every answer is context[start:start + len(answer)]."""
    for docstring, layout in parts:
        owner = docstring.name.rsplit(".", 1)[-1]
        if not layout.items or not owner or owner == "__init__":
            continue
        ambiguous = _ambiguous(layout)
        for number, lines in enumerate(windows(layout)):
            context = " ".join(line.text for line in lines)
            if len(lines) < FEWEST_LINES or LEFT_OVER.search(context):
                continue
            unit = f"{docstring.package}/{docstring.module}.{docstring.name}/{number}"
            asked = [question for question in questions(lines) if question.kind not in ambiguous]
            chosen = sorted(asked, key=lambda question: (question.kind not in RARE, order(f"{unit}{question}")))
            for question in chosen[:MOST_QUESTIONS]:
                yield _candidate(docstring, owner, unit, context, question)


def _ambiguous(layout: Layout) -> set[str]:
    """The kinds of question that have several answers, because several values are returned or exceptions raised."""
    sections = [item.section for item in layout.items]
    returned = {"returned", "returned type"} if sections.count("returns") > 1 else set()
    return returned | ({"raised"} if sections.count("raises") > 1 else set())


def windows(layout: Layout) -> Iterator[list[Line]]:
    """The summary and the items of a docstring, in their order, cut into contexts of at most the longest length."""
    lines = _lines(layout)
    run: list[Line] = []
    length = start = 0
    for line in lines:
        words = len(line.text.split())
        if run and length + words > LONGEST_CONTEXT:
            yield run
            run, length, start = [], 0, 0
        if words <= LONGEST_CONTEXT:
            run.append(Line(line.text, line.item, start))
            start += len(line.text) + 1
            length += words
    if run:
        yield run


def _summary(layout: Layout) -> list[str]:
    """The first two sentences of a docstring, if its first one is prose."""
    opening = [plain(sentence) for paragraph in layout.paragraphs[:2] for sentence in sentences(paragraph)][:2]
    whole = [f"{text.rstrip('.')}." for text in opening if is_prose(text) and re.search(r"[\w)\"'.]$", text)]
    return whole if whole and whole[0] == f"{opening[0].rstrip('.')}." else []


def _lines(layout: Layout) -> list[Line]:
    lines = [Line(text, None) for text in _summary(layout)]
    section = ""
    for item in layout.items:
        if item.section == "attributes":
            continue
        described = [plain(sentence) for paragraph in item.paragraphs for sentence in sentences(paragraph)]
        text = " ".join(sentence if sentence[-1] in ".:!?" else f"{sentence}." for sentence in described[:3])
        title = f"{TITLES[item.section]} " if item.section != section else ""
        section = item.section
        body = entry(item, description=text)
        lines.append(Line(title + (body if body.endswith(".") else f"{body}."), item))
    return lines


def _candidate(docstring: Docstring, owner: str, unit: str, context: str, question: Question) -> Candidate:
    assert context[question.start :].startswith(question.answer), (context, question)
    digest = order(f"{unit}/{question.form}/{question.name}")
    forms = QUESTIONS[question.form]
    form = forms[int(digest, 16) % len(forms)]
    row: dict[str, object] = {
        "id": digest[:24],
        "question": form.format(owner=owner, name=question.name.format(owner=owner)),
        "context": context,
        "answers": {"text": [question.answer], "answer_start": [question.start]},
    }
    return Candidate(docstring.module, unit, (question.kind, f"= {question.answer}"), context, row)
