"""What the page shows of a task, of curves and of sizes: numbers in, charts with their words out."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.reporting import charts
from stages.reporting.page import chart

Tree = dict[str, Any]
AXES = (
    ("parameters", "Score over millions of parameters", 1e6),
    ("multiply_adds", "Score over millions of multiply-adds", 1e6),
    ("bytes", "Score over megabytes on disk", 1e6),
)
"""A size, the title of its chart and what one unit there is."""
TITLES = {
    "pretrain": "Pretraining",
    "distill": "General distillation",
    "teacher": "Fine-tuning the teacher",
    "intermediate": "The student imitates inner states",
    "student": "The student imitates predictions",
}


def task_content(task: str, found: Tree, models: Mapping[str, Tree], *, metric: str) -> Tree:
    """`found` is what the stages wrote of one task, `models` its headline numbers."""
    return {
        "metric": metric,
        "rows": found["metrics"]["rows"],
        "scores": found["metrics"]["scores"],
        "models": models,
        "sizes": found["benchmark"]["models"],
        "latency": found["benchmark"]["latency"],
        "throughput": found["benchmark"]["throughput"],
        "processes": found["benchmark"]["processes"],
        "findings": found["findings"],
        "curves": [curve(name, rows, of=f"{task}-") for name, rows in found["curves"].items() if rows],
    }


def curve(name: str, rows: Sequence[Mapping[str, str]], *, of: str = "") -> dict[str, str]:
    """A curve with where each of its series began and ended."""
    ends: dict[str, list[str]] = {}
    for row in rows:
        for column, value in row.items():
            if column not in ("step", "learning_rate") and value:
                ends[column] = [*ends.get(column, [value])[:1], value]
    said = "; ".join(f"{column} {float(first):.3g} to {float(last):.3g}" for column, (first, last) in ends.items())
    return chart(TITLES[name], charts.curves(rows, name=f"{of}{name}"), seen=said, caption=said)


def against(headlines: Mapping[str, Mapping[str, Tree]], latency: Mapping[str, Sequence[Tree]]) -> list[dict[str, str]]:
    """Scores over each size that is known, and over time where it was measured."""
    drawn = []
    for size, title, unit in AXES:
        if points := _points(headlines, {task: _sizes(models, size, unit) for task, models in headlines.items()}):
            drawn.append(_against(points, title))
    fastest = {task: _fastest(rows) for task, rows in latency.items()}
    if points := _points(headlines, fastest):
        drawn.append(_against(points, "Score over milliseconds for one text"))
    return drawn


def _against(points: Mapping[str, Sequence[Tree]], title: str) -> dict[str, str]:
    label = title.removeprefix("Score over ")
    svg = charts.against(points, x="x", label=label, score="score", name=title)
    seen = "; ".join(
        f"{task}: " + ", ".join(f"{one['who']} {one['score']:.3f} at {one['x']:.3g}" for one in models)
        for task, models in points.items()
    )
    return chart(title, svg, seen=seen)


def _points(
    headlines: Mapping[str, Mapping[str, Tree]], xs: Mapping[str, Mapping[str, float]]
) -> dict[str, list[Tree]]:
    """For each task the models with an x, with scores and intervals."""
    found = {
        task: [{**one, "who": who, "x": xs[task][who]} for who, one in models.items() if who in xs[task]]
        for task, models in headlines.items()
    }
    return {task: models for task, models in found.items() if models}


def _sizes(models: Mapping[str, Tree], size: str, unit: float) -> dict[str, float]:
    return {who: one[size] / unit for who, one in models.items() if size in one}


def _fastest(rows: Sequence[Tree]) -> dict[str, float]:
    """Median milliseconds of each model in its fastest form, on a text of the longest length."""
    found: dict[str, float] = {}
    longest = max((row["length"] for row in rows), default=0)
    for row in (row for row in rows if row["length"] == longest):
        found[row["who"]] = min(row["median_ms"], found.get(row["who"], row["median_ms"]))
    return found
