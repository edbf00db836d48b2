"""HTML pages that load nothing and run nothing: their content is escaped, and their policy forbids every script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tinybert.reporting.formats import FILTERS

HERE = Path(__file__).parent
TEMPLATES = ("base.html", "parts.html", "page.html")
"""The frame of every page, tables and figures, the report."""


def render(template: str = "page.html", *, folder: Path = HERE, **content: Any) -> str:
    """The page that `template` in `folder` makes of `content`.

    All of `content` is escaped, except for drawings, the values of `svg` in a chart.
    """
    environment = Environment(
        loader=FileSystemLoader([folder, HERE]), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= FILTERS
    style = (HERE / "style.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(style=style, **content)


def chart(title: str, svg: str, *, text: str, caption: str = "") -> dict[str, str]:
    """A drawing with its title, its text alternative, and the caption beneath the title."""
    return {"title": title, "svg": svg, "text": text, "caption": caption}


def leaves(tree: Mapping[str, Any], *above: str) -> dict[str, Any]:
    """Every value by its path, such as `pretrain.steps`, in the order of the tree."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        path = (*above, str(key))
        values |= leaves(value, *path) if isinstance(value, dict) else {".".join(path): value}
    return values
