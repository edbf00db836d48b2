"""Which candidate rows a task keeps, and in which split: split by module, no near-duplicates, limits for each group."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

SPLITS = ("train", "validation", "test")
SHINGLE = 5  # words
CAMEL_CASE = re.compile(r"\b\w+[A-Z]\w*")
NEAR_DUPLICATE = 0.5  # share of a row's shingles that rows kept before it have

Row = dict[str, object]


@dataclass(frozen=True)
class Candidate:
    """A row that could be written, with what decides whether it is."""

    module: str  # all rows of a module are in one split
    unit: str  # rows of one unit may repeat each other: several questions on one context
    groups: tuple[str, ...]  # rows of one group are limited together: a label, a kind of question
    text: str  # must not repeat the text of another unit
    row: Row = field(hash=False)


def order(name: str) -> str:
    """A sort key that shuffles names: unrelated to their meaning, and the same on every machine."""
    return hashlib.sha256(name.encode()).hexdigest()


def split_of(module: str) -> str:
    """The split of a module: four fifths of the modules train, a tenth validate, a tenth test."""
    tenth = int(order(module), 16) % 10
    return "validation" if tenth == 8 else "test" if tenth == 9 else "train"


def select(
    candidates: Iterable[Candidate], *, limits: dict[str, int], share: Callable[[str], float]
) -> dict[str, list[Row]]:
    """The rows of each split, taken in the order of the candidates until every split has reached its limit.

    A group fills at most `share(group)` of a split's limit. A row is left out when half of it repeats rows that were
    kept before it, in any split and from another unit.
    """
    owners: dict[str, str] = {}
    kept: dict[str, list[Row]] = {split: [] for split in SPLITS}
    sizes: Counter[tuple[str, str]] = Counter()
    for candidate in candidates:
        split = split_of(candidate.module)
        limit = limits[split]
        has_room = all(sizes[split, group] < max(1, round(share(group) * limit)) for group in candidate.groups)
        if len(kept[split]) < limit and has_room and _claim(candidate, owners):
            sizes.update((split, group) for group in candidate.groups)
            kept[split].append(candidate.row)
            if all(len(kept[name]) == limits[name] for name in SPLITS):
                break
    return kept


def _claim(candidate: Candidate, owners: dict[str, str]) -> bool:
    """Whether the text is new; if so, its shingles now belong to its unit."""
    shingles = _shingles(candidate.text)
    repeated = sum(owners.get(shingle, candidate.unit) != candidate.unit for shingle in shingles)
    if repeated >= NEAR_DUPLICATE * len(shingles):
        return False
    for shingle in shingles:
        owners.setdefault(shingle, candidate.unit)
    return True


def _shingles(text: str) -> list[str]:
    """The distinct runs of `SHINGLE` words, ignoring case, numbers, punctuation and names in CamelCase."""
    words = re.findall(r"\w+", re.sub(r"\d+", "0", CAMEL_CASE.sub("Name", text)).lower())
    return sorted({" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1))})
