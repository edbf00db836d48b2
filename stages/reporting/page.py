"""The report as one HTML page that loads nothing."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render(
    *,
    summary: dict[str, Any],
    scores: dict[str, Any],
    charts: dict[str, str],
    parameters: dict[str, Any],
    machines: list[dict[str, Any]],
) -> str:
    """`charts` are SVG drawings by name; everything else is escaped."""
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("page.html")
    return page.render(summary=summary, scores=scores, charts=charts, parameters=_leaves(parameters), machines=machines)


def _leaves(tree: dict[str, Any], *above: str) -> list[tuple[str, Any]]:
    """Every parameter by its path, `pretrain.steps`, in the order of the file."""
    leaves: list[tuple[str, Any]] = []
    for key, value in tree.items():
        path = (*above, str(key))
        leaves += _leaves(value, *path) if isinstance(value, dict) else [(".".join(path), value)]
    return leaves
