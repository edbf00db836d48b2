"""Questions made from unannotated text: a sentence with a gap, asked about the passage that it comes from.

Cloze questions train question answering where nobody has asked anything (Lewis et al. 2019, arXiv:1906.04980). We need
no answers, since the students learn the fine-tuned teacher's. So the gap need not be an answer: it is any short span,
names and numbers first, as answers often are. The first word of one of the task's questions stands for it, in its
place or in front. Words are what stands between spaces: a language without them gets no questions.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

import numpy as np
import pyarrow as pa

from tinybert.data.cleaning import fingerprint
from tinybert.errors import InputError
from tinybert.tasks.protocol import Row

T = TypeVar("T")
SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("question", "context")])
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
SHORTEST_SENTENCE = 8
"""In words."""
TOLERANCE = 1.25
"""How much longer a passage may be than nearly all contexts of the task, or shorter."""
BEFORE, AFTER = (4, 10), (3, 8)
"""How many words are taken on each side of the gap, where the sentence has as many."""
FEWEST = 4
"""Of these, after some are left out."""
LONGEST_GAP, LONGEST_NAME = 3, 6
"""In words: of any words, and of words with capitals or digits."""
ANYWHERE, IN_FRONT, LEFT_OUT = 0.3, 0.5, 0.15
"""Shares: of gaps that are any words; of questions that begin with what fills the gap; of other words left out."""
TRIES = 4
"""How often a passage draws for each question that is asked for: some draws repeat another, or have too few words."""


@dataclass(frozen=True)
class Cloze:
    """Questions without answers, and where they come from."""

    rows: list[Row]
    """With "question" and "context"."""
    passages: int
    held_out: int
    """Passages left out, which have a sentence of a context of validation or test."""


def cloze_questions(
    documents: Iterable[str], *, like: Sequence[Row], held_out: Iterable[Row], count: int, seed: int
) -> Cloze:
    """Up to `count` rows for each row of `like`, from up to as many passages as those are.

    A passage is one or several successive lines of a document, about as long as the contexts of `like`. Of each of the
    first documents comes one, then a second of each, and so on. None has a sentence of a `held_out` row's context.
    Raises InputError where there is no passage to ask about.
    """
    passages = _Passages(like, held_out, seed)
    chosen = passages.of_first(documents, len(like))
    openings = [row["question"].split()[0] for row in like]
    rows = list[Row]()
    for number, lines in enumerate(chosen):
        asked = _ask(_sentences(lines), openings, count, _Chance(seed, number))
        rows += [{"question": question, "context": " ".join(lines)} for question in asked]
    if not rows:
        raise InputError(
            f"expected sentences of {SHORTEST_SENTENCE} words or more in passages (successive lines of a document) of "
            f"{passages.shortest} to {passages.longest} characters, as the task's contexts have, got none"
        )
    return Cloze(rows, len(chosen), passages.held_out)


class _Chance:
    """Draws by a seed and a number."""

    def __init__(self, *seeds: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seeds)))

    def happens(self, share: float) -> bool:
        return self._generator.random() < share

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends among them."""
        return int(self._generator.integers(low, high, endpoint=True))

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.between(0, len(choices) - 1)]


class _Passages:
    """Chooses passages as long as contexts, each as its lines."""

    def __init__(self, like: Sequence[Row], held_out: Iterable[Row], seed: int) -> None:
        self._lengths = sorted(len(row["context"]) for row in like)
        low, high = np.quantile(self._lengths, (0.05, 0.95))
        self.shortest, self.longest = math.floor(low / TOLERANCE), math.ceil(high * TOLERANCE)
        self._not = {fingerprint(part) for row in held_out for part in _sentences(row["context"].splitlines())}
        self._seen, self._seed, self.held_out = set[bytes](), seed, 0

    def of_first(self, documents: Iterable[str], count: int) -> list[list[str]]:
        found = list[list[list[str]]]()
        for number, document in enumerate(documents):
            if own := [lines for lines in self._of(document, number) if self._takes(lines)]:
                found.append(own)
                if len(found) & (len(found) - 1) == 0:  # at powers of 2 drop what no round will reach
                    found = [of_one[: math.ceil(count / len(found))] for of_one in found]
            if len(found) == count:
                break
        return [lines for part in zip_longest(*found) for lines in part if lines is not None][:count]

    def _of(self, document: str, number: int) -> Iterator[list[str]]:
        """Successive lines, as many as make up the length of a context drawn for each passage."""
        chance, lines, length = _Chance(self._seed, 1, number), list[str](), 0
        target = chance.one_of(self._lengths)
        for line in document.splitlines():
            if lines and length + 1 + len(line) > self.longest:
                yield lines
                lines, length = [], 0
            lines, length = [*lines, line], length + len(line) + bool(lines)
            if length >= target:
                yield lines
                lines, length, target = [], 0, chance.one_of(self._lengths)
        yield lines

    def _takes(self, lines: list[str]) -> bool:
        passage, sentences = " ".join(lines), _sentences(lines)
        if not sentences or not self.shortest <= len(passage) <= self.longest:
            return False
        if not self._not.isdisjoint(map(fingerprint, sentences)):
            self.held_out += 1
            return False
        known = len(self._seen)
        self._seen.add(fingerprint(passage))
        return len(self._seen) > known


def _sentences(lines: Iterable[str]) -> list[str]:
    """Those of SHORTEST_SENTENCE words."""
    parts = (part for line in lines for part in SENTENCE_END.split(line))
    return [part for part in parts if len(part.split()) >= SHORTEST_SENTENCE]


def _ask(sentences: Sequence[str], openings: Sequence[str], count: int, chance: _Chance) -> list[str]:
    """Up to `count` different questions."""
    questions = dict[str, None]()
    for _ in range(count * TRIES):
        if len(questions) < count:
            words = _question(chance.one_of(sentences).split(), chance.one_of(openings), chance)
            questions |= {" ".join(words).rstrip(".,;:!?") + "?": None} if len(words) > FEWEST else {}
    return [*questions]


def _question(words: Sequence[str], opening: str, chance: _Chance) -> list[str]:
    start, stop = _gap(words, chance)
    first, last = max(0, start - chance.between(*BEFORE)), stop + chance.between(*AFTER)
    sides = words[first:start], words[stop:last]
    before, after = ([word for word in side if not chance.happens(LEFT_OUT)] for side in sides)
    return [opening, *before, *after] if chance.happens(IN_FRONT) else [*before, opening, *after]


def _gap(words: Sequence[str], chance: _Chance) -> tuple[int, int]:
    """Where it starts and stops: a run of words that begin with a capital or a digit, or any few words."""
    named = {n for n, word in enumerate(words) if n and (word[0].isupper() or word[0].isdigit())}
    if not named or chance.happens(ANYWHERE):
        start = chance.between(1, len(words) - 1)
        return start, min(len(words), start + chance.between(1, LONGEST_GAP))
    start = stop = chance.one_of(sorted(named))
    while start - 1 in named and stop - start < LONGEST_NAME:
        start -= 1
    while stop in named and stop - start < LONGEST_NAME:
        stop += 1
    return start, stop
