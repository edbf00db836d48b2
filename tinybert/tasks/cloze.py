"""Questions made of a corpus without any annotation: a sentence with a gap, asked of the passage that it stands in.

Cloze questions train question answering where nobody has asked anything (Lewis et al. 2019, arXiv:1906.04980). We need
no answers, since the students learn the fine-tuned teacher's. So a gap need not be what the passage says: it is any
short span, names and numbers first, as answers often are; what stands in the gap is how a question of the task begins.
Passages are as long as the task's contexts. Words are what stands between spaces: a language without them gets no
questions.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TypeVar

import numpy as np

from tinybert.errors import InputError
from tinybert.tasks.protocol import Row

T = TypeVar("T")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
SHORTEST_SENTENCE = 8
"""In words."""
BEFORE, AFTER = (4, 10), (3, 8)
"""The fewest and the most words of the sentence that stay on each side of the gap."""
LONGEST_GAP = 3
"""In words, where the gap is no name or number."""
ANYWHERE, IN_FRONT, DROPPED = 0.3, 0.5, 0.15
"""Shares: of gaps that are any words; of questions that begin with what fills the gap; of other words left out."""
TRIES = 4
"""How often a passage draws for each question that is asked for: some draws repeat another."""


def cloze_questions(documents: Iterable[str], *, like: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Up to `count` rows with "question" and "context" for each row `like` them, from as many passages of `documents`.

    Raises InputError where the documents have no passage as long as the rows' contexts with a sentence to ask for.
    """
    shortest, longest = np.quantile([len(row["context"]) for row in like], (0.05, 0.95))
    openings = [words[0] for row in like if (words := row["question"].split())]
    made = list[Row]()
    for number, passage in enumerate(_passages(documents, shortest=shortest, longest=longest, count=len(like))):
        asked = _ask(passage, openings, count, _Chance(seed, number))
        made += [{"question": question, "context": passage} for question in asked]
    if not made:
        raise InputError(
            f"expected sentences of {SHORTEST_SENTENCE} words or more in passages of {shortest:.0f} to {longest:.0f} "
            "characters, as long as the contexts, got none"
        )
    return made


def _passages(documents: Iterable[str], *, shortest: float, longest: float, count: int) -> list[str]:
    """Up to `count`, of as many documents as there are: the first of each, then the second of each, and so on."""
    found = list[list[str]]()
    for document in documents:
        if own := _of_document(document, shortest=shortest, longest=longest):
            found.append(own)
        if len(found) == count:
            break
    return [passage for part in zip_longest(*found) for passage in part if passage is not None][:count]


def _of_document(document: str, *, shortest: float, longest: float) -> list[str]:
    """Its lines, where short ones are joined."""
    passages, lines = list[str](), list[str]()
    for line in document.splitlines():
        lines.append(line)
        if len(passage := " ".join(lines)) >= shortest:
            passages += [passage] if len(passage) <= longest else []
            lines.clear()
    return passages


class _Chance:
    """What is drawn for one passage."""

    def __init__(self, seed: int, number: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, number))))

    def happens(self, share: float) -> bool:
        return self._generator.random() < share

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends among them."""
        return int(self._generator.integers(low, high, endpoint=True))

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.between(0, len(choices) - 1)]


def _ask(passage: str, openings: Sequence[str], count: int, chance: _Chance) -> list[str]:
    """Up to `count` different questions."""
    sentences = [words for part in SENTENCE_END.split(passage) if len(words := part.split()) >= SHORTEST_SENTENCE]
    questions = dict[str, None]()
    for _ in range(count * TRIES if sentences else 0):
        if len(questions) < count:
            opening = chance.one_of(openings)
            questions[_question(chance.one_of(sentences), opening, chance)] = None
    return [*questions]


def _question(words: Sequence[str], opening: str, chance: _Chance) -> str:
    start, stop = _gap(words, chance)
    first, last = max(0, start - chance.between(*BEFORE)), stop + chance.between(*AFTER)
    sides = words[first:start], words[stop:last]
    before, after = ([word for word in side if not chance.happens(DROPPED)] for side in sides)
    asked = [opening, *before, *after] if chance.happens(IN_FRONT) else [*before, opening, *after]
    return " ".join(asked).rstrip(".,;:!?") + "?"


def _gap(words: Sequence[str], chance: _Chance) -> tuple[int, int]:
    """Where it starts and stops: a run of words that begin with a capital or a digit, or any few words."""
    named = [n for n, word in enumerate(words) if n and (word[0].isupper() or word[0].isdigit())]
    if not named or chance.happens(ANYWHERE):
        start = chance.between(1, len(words) - 1)
        return start, min(len(words), start + chance.between(1, LONGEST_GAP))
    start = stop = chance.one_of(named)
    while start - 1 in named:
        start -= 1
    while stop in named:
        stop += 1
    return start, stop
