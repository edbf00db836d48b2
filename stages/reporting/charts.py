"""Curves as SVG, drawn by matplotlib, the same bytes for the same numbers."""

import io
import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "curves"  # names inside the file would be random without it
matplotlib.rcParams["svg.fonttype"] = "none"

from matplotlib import pyplot as plt  # noqa: E402

SIZE = (4.8, 2.6)  # inches


def curves_svg(rows: list[dict[str, str]], *, title: str) -> str:
    """One line for each column but `step` and `learning_rate`, over the steps; an empty cell has no point."""
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    for name in rows[0] | rows[-1]:
        if name not in ("step", "learning_rate"):
            points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
            axes.plot(*zip(*points, strict=True), label=name, marker="o" if len(points) < 20 else None)
    axes.set(title=title.replace("_", " "), xlabel="step", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return _unique_ids(out.getvalue()[out.getvalue().index("<svg") :], prefix=title)


def _unique_ids(svg: str, *, prefix: str) -> str:
    """Ids of one drawing must not meet those of another on the same page."""
    prefix = re.sub(r"\W", "-", prefix)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    return re.sub(r'href="#', f'href="#{prefix}-', svg)
