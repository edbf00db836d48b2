"""Charts as SVG, drawn by matplotlib, the same bytes for the same numbers.

Their colours are custom properties of the page's style, so that a chart follows the page in dark mode and in print.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "charts"  # ids inside the file would be random without it
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["text.parse_math"] = False  # names are not formulas, whatever characters they have
matplotlib.rcParams["axes.formatter.use_mathtext"] = False

VALIDATION = "validation"
"""The column of validation scores in a curve; the others are losses."""
FEW = 20
"""A line of fewer points has markers."""
WIDTH = 4.8  # inches
NAMES = ("ink", "soft", "line", "series-0", "series-1", "series-2", "series-3", "series-4", "series-5")
COLOURS = {name: f"#0000{number:02x}" for number, name in enumerate(NAMES, start=0xE0)}
"""Placeholders that no chart uses otherwise, for custom properties of the page's style."""
SERIES = [COLOURS[name] for name in NAMES if name.startswith("series")]
STYLES = ("-", "--", "-.", ":")
"""Each with all colours in turn, so that 24 lines of a chart differ."""
MARKERS = "osD^vPXph"
"""By the number of a model."""

for ticks in ("xtick", "ytick"):
    matplotlib.rc(ticks, color=COLOURS["soft"])
matplotlib.rc("text", color=COLOURS["ink"])
matplotlib.rc("font", size=9.5)
matplotlib.rc("figure", facecolor="none")
matplotlib.rc("legend", frameon=False)
matplotlib.rc("grid", color=COLOURS["line"], linewidth=0.6)
matplotlib.rc("axes.spines", top=False, right=False)
matplotlib.rc("axes", edgecolor=COLOURS["line"], labelcolor=COLOURS["soft"], titlesize=10, titlelocation="left")
matplotlib.rc("axes", facecolor="none", grid=True, axisbelow=True)
matplotlib.rc("axes", prop_cycle=cycler(linestyle=STYLES) * cycler(color=SERIES))


def curves(rows: Sequence[Mapping[str, str]], *, name: str) -> str:
    """Losses over the steps, on a logarithmic scale where they differ much, and validation scores below."""
    columns = [column for column in rows[0] if column not in ("step", "learning_rate")]
    points = {column: [(int(row["step"]), float(row[column])) for row in rows if row[column]] for column in columns}
    losses = [column for column in columns if column != VALIDATION and points[column]]
    panels = [panel for panel in (losses, [VALIDATION] if points.get(VALIDATION) else []) if panel]
    figure, places = plt.subplots(
        len(panels), figsize=(WIDTH, 1.2 + 1.5 * len(panels)), layout="constrained", sharex=True, squeeze=False
    )
    for axes, panel in zip(places[:, 0], panels, strict=True):
        _draw_lines(axes, {column: points[column] for column in panel})
        axes.set_title("validation score" if panel == [VALIDATION] else "loss")
    places[-1, 0].set_xlabel("step")
    if len(columns) > 1:
        legend(figure, places[0, 0])
    return as_element(figure, name)


def _draw_lines(axes: Any, points: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    for column, line in points.items():
        axes.plot(*zip(*line, strict=True), label=column, marker="o" if len(line) < FEW else None, markersize=4)
    values = [value for line in points.values() for _, value in line]
    if min(values) > 0 and max(values) > 20 * min(values):
        axes.set_yscale("log")
        _plain_numbers(axes.yaxis)
    else:
        axes.set_ylim(0, 1.08 * max(values))


def scores(
    points: Mapping[str, Sequence[Mapping[str, Any]]], *, markers: Mapping[str, str], label: str, name: str
) -> str:
    """Scores with confidence intervals over a quantity `x` on a log scale: a line per task, a marker per model."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    for number, (task, models) in enumerate(points.items()):
        colour, style = SERIES[number % len(SERIES)], STYLES[number // len(SERIES) % len(STYLES)]
        axes.plot([point["x"] for point in models], [point["score"] for point in models], color=colour, linewidth=1,
                  linestyle=style, label=task)  # fmt: skip
        for point in models:
            low, high = (abs(point["score"] - point[f"score_{end}"]) for end in ("low", "high"))
            axes.errorbar(point["x"], point["score"], [[low], [high]], color=colour, fmt=markers[point["model"]],
                          markersize=6, capsize=2, linewidth=1)  # fmt: skip
    drawn = {point["model"] for models in points.values() for point in models}
    for model in (model for model in markers if model in drawn):
        axes.plot([], [], color=COLOURS["soft"], linestyle="", marker=markers[model], label=model)
    axes.set(xlabel=label, ylabel="score", xscale="log")
    _plain_numbers(axes.xaxis)
    legend(figure, axes)
    return as_element(figure, name)


def markers_of(models: Iterable[str]) -> dict[str, str]:
    """A marker for each model, in order of appearance."""
    return {model: MARKERS[number % len(MARKERS)] for number, model in enumerate(dict.fromkeys(models))}


def legend(figure: Any, axes: Any) -> None:
    """The legend above the drawing, where it covers no line."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=9)


def _plain_numbers(axis: Any) -> None:
    """Tick labels 1, 2, 5, 10 in place of powers of ten on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def as_element(figure: Any, name: str) -> str:
    """The drawing as an element of a page, with ids that start with `name`, so that drawings on one page share none."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    svg = out.getvalue()[out.getvalue().index("<svg") :]
    prefix = re.sub(r"\W+", "-", name)
    for reference in (r'\bid="', r"url\(#", r'href="#'):
        svg = re.sub(reference, lambda match: f"{match[0]}{prefix}-", svg)
    for style, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{style})")
    return svg
