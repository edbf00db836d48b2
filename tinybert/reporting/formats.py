"""Formats of pages and cards: numbers, and Markdown under a YAML header, as the Hugging Face hub reads it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined


def count(number: int) -> str:
    return f"{number:,}"


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def score(number: float) -> str:
    return f"{number:.3f}"


def short(number: float) -> str:
    """Three digits and a unit: 1.52 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number} "


def verdict(row: Mapping[str, Any]) -> str:
    """The difference from the teacher, and whether its confidence interval excludes 0."""
    low, high = row["versus_teacher_low"], row["versus_teacher_high"]
    word = "within noise" if low <= 0 <= high else "better" if low > 0 else "worse"
    return f"{row['versus_teacher']:+.3f} ({low:+.3f} to {high:+.3f}): {word}"


FILTERS: dict[str, Callable[..., str]] = {
    "count": count, "percent": percent, "score": score, "short": short, "verdict": verdict
}  # fmt: skip
"""For templates."""

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
ENVIRONMENT.filters |= FILTERS


def with_header(header: ModelCardData, template: str, **content: Any) -> str:
    """The card: `header` as YAML, then the Markdown that `template` in this folder makes of `content`."""
    body = ENVIRONMENT.get_template(template).render(**content)
    return f"---\n{header.to_yaml(line_break=chr(10))}\n---\n\n{body}\n"
