"""Which rows of a table go into which split: by a hash of what they hold, so that neither order nor other rows matter.

Rows that share a text (or whatever else makes them one group) fall into one split, or a model would be scored on texts
that it was trained on. N rows.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]
REST = "rest"


def draw_splits(groups: Sequence[Sequence[str]], *, shares: Mapping[str, float]) -> list[str]:
    """The split of each row, [N]: a name of `shares`, each for about its share of the rows, or REST.

    `groups` are the keys of each row; rows that are linked by keys, directly or by way of others, are one group, which
    is drawn by the first of its keys in sorted order. So a new row moves no other, unless it has a key in common with
    it. A group of more rows than half of the smallest share could fill a split alone, and always stays in REST.
    """
    first = _smallest_linked_key(groups)
    sizes, largest = Counter(first), min(shares.values()) * len(groups) / 2
    drawn = {key: _side(_position(key), shares) if size <= max(largest, 1) else REST for key, size in sizes.items()}
    return [drawn[key] for key in first]


def _side(position: float, shares: Mapping[str, float]) -> str:
    for name, share in shares.items():
        if position < share:
            return name
        position -= share
    return REST


def _smallest_linked_key(groups: Sequence[Sequence[str]]) -> list[str]:
    """Of each row the first key, in sorted order, of all rows that are linked with it; it stands for them all."""
    roots: dict[str, str] = {}

    def root(key: str) -> str:
        path = [key]
        while (parent := roots.setdefault(path[-1], path[-1])) != path[-1]:
            path.append(parent)
        roots.update(dict.fromkeys(path, path[-1]))
        return path[-1]

    for keys in groups:
        linked = sorted({root(key) for key in keys})
        roots.update(dict.fromkeys(linked, linked[0]))
    return [root(keys[0]) for keys in groups]


def subsample(rows: Sequence[Row], *, at_most: int) -> list[int]:
    """The indices of at most `at_most` of the rows, in increasing order."""
    if len(rows) <= at_most:
        return [*range(len(rows))]
    # From the other end of the positions than `draw_splits`, so that both can be applied to one table.
    positions = [_position(json.dumps(row, sort_keys=True, ensure_ascii=False)) for row in rows]
    return sorted(sorted(range(len(rows)), key=lambda n: (-positions[n], n))[:at_most])


def _position(key: str) -> float:
    """A number from 0 to 1 that depends on the key alone."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64
