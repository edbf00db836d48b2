"""Which rows are kept and in which split: by the hash of their module, without near-duplicates, within limits."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

SPLITS = ("train", "validation", "test")
SHINGLE = 5  # words
CAMEL_CASE = re.compile(r"\b\w+[A-Z]\w*")
NEAR_DUPLICATE = 0.5  # share of a row's shingles that rows kept before it have


@dataclass(frozen=True)
class Candidate:
    """A row that could be written, with what decides whether it is."""

    module: str  # all rows of a module are in one split
    unit: str  # rows of one unit may repeat each other: several questions on one context
    groups: tuple[str, ...]  # rows of one group are limited together: a label, a kind of question
    text: str  # what may not be repeated across units
    row: dict[str, object] = field(hash=False)


def split_of(module: str) -> str:
    """The split of a module: four fifths of the modules train, a tenth validate, a tenth test."""
    tenth = int(order(module), 16) % 10
    return "validation" if tenth == 8 else "test" if tenth == 9 else "train"


def select(
    candidates: Iterable[Candidate], *, limits: dict[str, int], share: Callable[[str], float]
) -> dict[str, list[dict[str, object]]]:
    """Rows for each split: taken as they come until the limits of all splits are reached.

    A group fills at most `share(group)` of the limit. A row of which half repeats rows that were kept before it, in any
    split and from another unit, is left out.
    """
    owners: dict[str, str] = {}
    kept: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
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


def order(name: str) -> str:
    """A key that sorts names in an order which has nothing to do with them and is always the same."""
    return hashlib.sha256(name.encode()).hexdigest()


def _claim(candidate: Candidate, owners: dict[str, str]) -> bool:
    """Whether the text is new; if so its shingles now belong to its unit."""
    found = shingles(candidate.text)
    repeated = sum(owners.get(shingle, candidate.unit) != candidate.unit for shingle in found)
    if repeated >= NEAR_DUPLICATE * len(found):
        return False
    for shingle in found:
        owners.setdefault(shingle, candidate.unit)
    return True


def shingles(text: str) -> list[str]:
    """The runs of words in a text; case, numbers, punctuation and names in CamelCase do not matter."""
    words = re.findall(r"\w+", re.sub(r"\d+", "0", CAMEL_CASE.sub("Name", text)).lower())
    return sorted({" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1))})
