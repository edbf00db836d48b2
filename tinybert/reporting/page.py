"""The HTML report: number formats, charts with their text alternatives, and the rendering of pages.

A page loads nothing and runs nothing: its content is escaped, and its policy forbids every script.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tinybert.reporting import charts
from tinybert.reporting.classes import class_scores, confused_pairs, heat_map
from tinybert.reporting.results import FEW_CLASSES, TEACHER, Curve, Results, Tree, heldout_mlm, latency_by_model, series

HERE = Path(__file__).parent
FOLDED = 3
"""Tasks that are shown whole; of more, what is beyond a glance is folded."""
TEMPLATES = ("base.html", "parts.html", "page.html")
"""The frame of every page, tables and figures, the report."""
AXES = {
    "parameters": "parameters (millions)", "multiply_adds": "multiply-adds (millions)", "bytes": "size on disk (MB)"
}  # fmt: skip
"""The sizes that scores are plotted against, with the labels of their axes."""


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


def leaves(tree: Mapping[str, Any], *above: str) -> dict[str, Any]:
    """Every value by its path, such as `pretrain.steps`, in the order of the tree."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        path = (*above, str(key))
        values |= leaves(value, *path) if isinstance(value, dict) else {".".join(path): value}
    return values


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
    "count": "{:,}".format, "percent": "{:.1%}".format, "score": "{:.3f}".format, "short": short, "verdict": verdict
}  # fmt: skip
"""Number formats for templates."""


def students_content(distilled: Mapping[str, Tree]) -> dict[str, Tree]:
    """By student: parameters and held-out MLM accuracy, each beside the teacher's. `distilled` is as in heldout_mlm."""
    accuracy = {model: row["score"] for model, row in heldout_mlm(distilled).items()}
    return {
        student: {
            "parameters": metrics["parameters"]["student"],
            "teacher_parameters": metrics["parameters"]["teacher"],
            "heldout_mlm": accuracy.get(student),
            "teacher_heldout_mlm": accuracy.get(TEACHER),
        }
        for student, metrics in distilled.items()
    }


def many_classes(results: Results) -> Tree | None:
    """What to show of a task with more classes than a table can hold, for the first student; None for others."""
    if len(results.labels) <= FEW_CLASSES:
        return None
    model = next(model for model in results.confusion if model != TEACHER)
    pairs = confused_pairs(results.confusion[model], results.labels)
    text = "; ".join(f"{pair.gold} taken for {pair.predicted} {pair.rows} times" for pair in pairs[:3])
    caption = f"gold classes from top to bottom, predicted ones from left to right; {len(results.labels)} classes"
    return {
        "model": model,
        "pairs": pairs,
        "scores": class_scores(results.confusion, results.labels, by=model),
        "chart": chart(f"Confusion matrix of {model}", heat_map(results.confusion[model]), text=text, caption=caption),
    }


def chart(title: str, svg: str, *, text: str, caption: str = "") -> dict[str, str]:
    """A drawing with its title, its text alternative, and the caption beneath the title."""
    return {"title": title, "svg": svg, "text": text, "caption": caption}


def curve_charts(curves: Iterable[Curve]) -> list[dict[str, str]]:
    """Curves with the first and last value of each series; a phase of no steps has none."""
    drawn = []
    for curve in (curve for curve in curves if curve.rows):
        values: dict[str, list[float]] = {}
        for point in series(curve.rows):
            values.setdefault(point["series"], []).append(float(point["value"]))
        ends = "; ".join(f"{name} {column[0]:.3g} to {column[-1]:.3g}" for name, column in values.items())
        drawn.append(chart(curve.title, charts.curves(curve.rows, name=curve.name), text=ends, caption=ends))
    return drawn


def score_charts(headlines: Mapping[str, Mapping[str, Tree]], results: Mapping[str, Results]) -> list[dict[str, str]]:
    """Score against each size that is known, and against the latency of each model's fastest variant."""
    xs = {
        label: {
            task: {model: row[size] / 1e6 for model, row in models.items() if size in row}
            for task, models in headlines.items()
        }
        for size, label in AXES.items()
    }
    latency = {task: latency_by_model(of_task.latency) for task, of_task in results.items()}
    xs["median latency (ms)"] = {
        task: {model: min(row["median_ms"] for row in rows) for model, rows in models.items()}
        for task, models in latency.items()
    }
    markers = charts.markers_of(model for models in headlines.values() for model in models)
    return [_score_chart(points, label, markers) for label, x in xs.items() if (points := _points(headlines, x))]


def _score_chart(points: Mapping[str, list[Tree]], label: str, markers: Mapping[str, str]) -> dict[str, str]:
    title = f"Score against {label}"
    text = "; ".join(
        f"{task}: " + ", ".join(f"{point['model']} {point['score']:.3f} at {point['x']:.3g}" for point in models)
        for task, models in points.items()
    )
    return chart(title, charts.scores(points, markers=markers, label=label, name=title), text=text)


def _points(
    headlines: Mapping[str, Mapping[str, Tree]], xs: Mapping[str, Mapping[str, float]]
) -> dict[str, list[Tree]]:
    """For each task the models that have an x, with scores and intervals, from the largest x to the smallest."""
    points = {
        task: [{**row, "model": model, "x": xs[task][model]} for model, row in models.items() if model in xs[task]]
        for task, models in headlines.items()
    }
    return {task: sorted(models, key=lambda point: -point["x"]) for task, models in points.items() if models}
