"""Which rows are taken and which kept back, by their content, so that neither order nor other rows matter."""

import hashlib
import json


def share(row: dict) -> float:
    """A number from 0 to 1 that depends on the row alone; equal rows have equal numbers."""
    text = json.dumps(row, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def keep_back(rows: list[dict], *, fraction: float) -> tuple[list[dict], list[dict]]:
    """The rows without and with `fraction` of them, equal rows on one side."""
    shares = [share(row) for row in rows]
    return (
        [row for row, s in zip(rows, shares, strict=True) if s >= fraction],
        [row for row, s in zip(rows, shares, strict=True) if s < fraction],
    )


def take(rows: list[dict], *, at_most: int) -> list[dict]:
    """`at_most` of the rows, in their order."""
    if len(rows) <= at_most:
        return rows
    # From the other end of the shares than `keep_back`, so that both can be asked of one table.
    chosen = sorted(range(len(rows)), key=lambda n: (-share(rows[n]), n))[:at_most]
    return [rows[n] for n in sorted(chosen)]
