"""Choosing rows by a hash of their content: neither their order nor other rows change the choice."""

import hashlib
import json
from typing import Any


def hold_out(rows: list[dict[str, Any]], *, fraction: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(the remaining rows, about `fraction` of the rows), equal rows on one side."""
    positions = [_position(row) for row in rows]
    return (
        [row for row, position in zip(rows, positions, strict=True) if position >= fraction],
        [row for row, position in zip(rows, positions, strict=True) if position < fraction],
    )


def subsample(rows: list[dict[str, Any]], *, at_most: int) -> list[dict[str, Any]]:
    """At most `at_most` of the rows, in their order."""
    if len(rows) <= at_most:
        return rows
    # From the other end of the positions than `hold_out`, so that both can be applied to one table.
    chosen = sorted(range(len(rows)), key=lambda n: (-_position(rows[n]), n))[:at_most]
    return [rows[n] for n in sorted(chosen)]


def _position(row: dict[str, Any]) -> float:
    """A number from 0 to 1 that depends on the row alone; equal rows have equal numbers."""
    text = json.dumps(row, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64
