"""Charts as SVG, drawn by matplotlib, the same bytes for the same numbers.

Colours in them are names of the page's style, so that a chart follows the page into the dark and onto paper.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from cycler import cycler

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "charts"  # names inside the file would be random without it
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["text.parse_math"] = False  # a name is no formula, whatever signs are in it
matplotlib.rcParams["axes.formatter.use_mathtext"] = False

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: E402

WIDTH = 4.8  # inches
NAMES = ("ink", "soft", "line", "series-0", "series-1", "series-2", "series-3", "series-4", "series-5")
COLOURS = {name: f"#0000{number:02x}" for number, name in enumerate(NAMES, start=0xE0)}
"""Stand-ins that no chart has otherwise, for custom properties of the page's style."""
SERIES = [COLOURS[name] for name in NAMES if name.startswith("series")]
MARKERS = {"teacher": "o", "student": "s", "exported": "D"}

for ticks in ("xtick", "ytick"):
    matplotlib.rc(ticks, color=COLOURS["soft"])
matplotlib.rc("text", color=COLOURS["ink"])
matplotlib.rc("font", size=9.5)
matplotlib.rc("figure", facecolor="none")
matplotlib.rc("legend", frameon=False)
matplotlib.rc("grid", color=COLOURS["line"], linewidth=0.6)
matplotlib.rc("axes.spines", top=False, right=False)
matplotlib.rc("axes", edgecolor=COLOURS["line"], labelcolor=COLOURS["soft"], titlesize=10, titlelocation="left")
matplotlib.rc("axes", facecolor="none", grid=True, axisbelow=True, prop_cycle=cycler(color=SERIES))


def curves(rows: Sequence[Mapping[str, str]], *, name: str) -> str:
    """Losses over the steps, on a logarithmic scale where they differ much, and validation scores below."""
    columns = [column for column in rows[0] if column not in ("step", "learning_rate")]
    points = {column: [(int(row["step"]), float(row[column])) for row in rows if row[column]] for column in columns}
    parts = [
        part
        for part in ([c for c in columns if c != "validation"], [c for c in columns if c == "validation"])
        if any(points[column] for column in part)
    ]
    figure, panels = plt.subplots(
        len(parts), figsize=(WIDTH, 1.2 + 1.5 * len(parts)), layout="constrained", sharex=True, squeeze=False
    )
    for axes, part in zip(panels[:, 0], parts, strict=True):
        for column in part:
            few = len(points[column]) < 20
            axes.plot(*zip(*points[column], strict=True), label=column, marker="o" if few else None, markersize=4)
        values = [value for column in part for _, value in points[column]]
        if min(values) > 0 and max(values) > 20 * min(values):
            axes.set_yscale("log")
            _plain(axes.yaxis)
        else:
            axes.set_ylim(0, 1.08 * max(values))
        axes.set_title("score on validation rows" if part == ["validation"] else "loss")
    panels[-1, 0].set_xlabel("step")
    if len(columns) > 1:
        legend(figure, panels[0, 0])
    return as_element(figure, name)


def against(points: Mapping[str, Sequence[Mapping[str, Any]]], *, x: str, label: str, score: str, name: str) -> str:
    """Scores with intervals over a quantity `x` on a logarithmic scale: a line for each task, a sign for each model."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    for number, (task, models) in enumerate(points.items()):
        colour = SERIES[number % len(SERIES)]
        axes.plot([one[x] for one in models], [one[score] for one in models], color=colour, linewidth=1, label=task)
        for one in models:
            low, high = (abs(one[score] - one[f"{score}_{end}"]) for end in ("low", "high"))
            axes.errorbar(one[x], one[score], [[low], [high]], color=colour, fmt=MARKERS.get(one["who"], "^"),
                          markersize=6, capsize=2, linewidth=1)  # fmt: skip
    for who in dict.fromkeys(one["who"] for models in points.values() for one in models):
        axes.plot([], [], color=COLOURS["soft"], linestyle="", marker=MARKERS.get(who, "^"), label=who)
    axes.set(xlabel=label, ylabel="score", xscale="log")
    _plain(axes.xaxis)
    legend(figure, axes)
    return as_element(figure, name)


def legend(figure: Any, axes: Any) -> None:
    """What the lines are called, above the drawing, where it hides none of them."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=9)


def _plain(axis: Any) -> None:
    """Numbers as one writes them on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def as_element(figure: Any, name: str) -> str:
    """The drawing as an element of a page, named for those who do not see it, with ids that no other drawing has."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    svg = out.getvalue()[out.getvalue().index("<svg") :]
    prefix = re.sub(r"\W+", "-", name)
    for before in (r'\bid="', r"url\(#", r'href="#'):
        svg = re.sub(before, lambda found: f"{found[0]}{prefix}-", svg)
    for style, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{style})")
    return svg
