"""How numbers are written in pages and cards."""

from collections.abc import Callable, Mapping
from typing import Any


def count(number: int) -> str:
    return f"{number:,}"


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def score(number: float) -> str:
    return f"{number:.3f}"


def short(number: float) -> str:
    """Three digits and what they count: 1.52 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number} "


def verdict(one: Mapping[str, Any]) -> str:
    """A difference from the teacher, and whether other test rows could turn it around."""
    low, high = one["versus_teacher_low"], one["versus_teacher_high"]
    said = "within noise" if low <= 0 <= high else "better" if low > 0 else "worse"
    return f"{one['versus_teacher']:+.3f} ({low:+.3f} to {high:+.3f}): {said}"


FILTERS: dict[str, Callable[..., str]] = {
    "count": count, "percent": percent, "score": score, "short": short, "verdict": verdict
}  # fmt: skip
"""For templates."""
