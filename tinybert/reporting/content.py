"""What the report shows of tasks, curves and sizes: numbers in, charts with their text alternatives out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinybert.reporting import charts
from tinybert.reporting.page import chart
from tinybert.reporting.results import TEACHER, Curve, Results, Tree
from tinybert.reporting.summary import heldout_mlm

AXES = (
    ("parameters", "Score against parameters (millions)", 1e6),
    ("multiply_adds", "Score against multiply-adds (millions)", 1e6),
    ("bytes", "Score against size on disk (MB)", 1e6),
)
"""A size, the title of its chart, and the unit there."""
LATENCY_TITLE = "Score against median latency (ms)"


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


def task_content(results: Results, curves: Iterable[Curve], *, models: Mapping[str, Tree]) -> Tree:
    """`models` are the headline numbers of the task."""
    return {"results": results, "models": models, "curves": curve_charts(curves)}


def curve_charts(curves: Iterable[Curve]) -> list[dict[str, str]]:
    """Curves with the first and last value of each series; a phase of no steps has none."""
    drawn = []
    for curve in curves:
        if curve.rows:
            ends = "; ".join(f"{name} {first:.3g} to {last:.3g}" for name, (first, last) in _ends(curve.rows).items())
            svg = charts.curves(curve.rows, name=curve.name)
            drawn.append(chart(curve.title, svg, text=ends, caption=ends))
    return drawn


def _ends(rows: Sequence[Mapping[str, str]]) -> dict[str, tuple[float, float]]:
    """The first and the last value of each series."""
    ends: dict[str, tuple[float, float]] = {}
    for row in rows:
        for column, value in row.items():
            if column not in ("step", "learning_rate") and value:
                ends[column] = (ends.get(column, (float(value),))[0], float(value))
    return ends


def score_charts(headlines: Mapping[str, Mapping[str, Tree]], results: Mapping[str, Results]) -> list[dict[str, str]]:
    """Score against each size that is known, and against latency."""
    xs = [
        (title, {task: _sizes(models, size, unit) for task, models in headlines.items()}) for size, title, unit in AXES
    ]
    xs.append((LATENCY_TITLE, {task: _fastest(results[task].latency) for task in results}))
    markers = charts.markers_of(model for models in headlines.values() for model in models)
    return [_score_chart(points, title, markers) for title, by_task in xs if (points := _points(headlines, by_task))]


def _score_chart(points: Mapping[str, Sequence[Tree]], title: str, markers: Mapping[str, str]) -> dict[str, str]:
    label = title.removeprefix("Score against ")
    svg = charts.scores(points, markers=markers, label=label, name=title)
    text = "; ".join(
        f"{task}: " + ", ".join(f"{point['model']} {point['score']:.3f} at {point['x']:.3g}" for point in models)
        for task, models in points.items()
    )
    return chart(title, svg, text=text)


def _points(
    headlines: Mapping[str, Mapping[str, Tree]], xs: Mapping[str, Mapping[str, float]]
) -> dict[str, list[Tree]]:
    """For each task the models that have an x, with scores and intervals, from the largest x to the smallest."""
    points = {
        task: [{**row, "model": model, "x": xs[task][model]} for model, row in models.items() if model in xs[task]]
        for task, models in headlines.items()
    }
    return {task: sorted(models, key=lambda point: -point["x"]) for task, models in points.items() if models}


def _sizes(models: Mapping[str, Mapping[str, Any]], size: str, unit: float) -> dict[str, float]:
    return {model: row[size] / unit for model, row in models.items() if size in row}


def _fastest(latency: Sequence[Tree]) -> dict[str, float]:
    """Median milliseconds of each model's fastest variant on a sequence of the longest length."""
    fastest: dict[str, float] = {}
    longest = max((row["length"] for row in latency), default=0)
    for row in (row for row in latency if row["length"] == longest):
        fastest[row["model"]] = min(row["median_ms"], fastest.get(row["model"], row["median_ms"]))
    return fastest
