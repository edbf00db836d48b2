"""The picture of the README, from the committed metrics: `python -m tools.picture` writes docs/result.svg."""

import json
import re
from pathlib import Path
from typing import Any

from tinybert.reporting import charts

METRICS, PICTURE = Path("reports/metrics"), Path("docs/result.svg")
COLOURS = re.compile(r"^:root \{.*?^\}|^@media \(prefers-color-scheme: dark\) \{.*?^\}", re.DOTALL | re.MULTILINE)


def main() -> None:
    PICTURE.write_text(picture(Path()), encoding="utf-8", newline="\n")
    print(PICTURE)


def picture(project: Path) -> str:
    """Score over size of every model that has a size, as an SVG that follows a reader's light or dark page."""
    tasks = {folder.name: _points(folder) for folder in sorted((project / METRICS).iterdir())}
    points = {task: models for task, models in tasks.items() if models}
    markers = charts.markers_of(point["model"] for models in points.values() for point in models)
    svg = charts.scores(points, markers=markers, label="megabytes on disk", name="result")
    style = (Path(charts.__file__).parent / "style.css").read_text(encoding="utf-8")
    return svg.replace(">", f">\n<style>{''.join(COLOURS.findall(style))}</style>", 1) + "\n"


def _points(folder: Path) -> list[dict[str, Any]]:
    """The models of a task from the largest to the smallest; those without weights have no bytes."""
    models = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")}
    sized = {name: numbers for name, numbers in models.items() if "bytes" in numbers}
    points = [numbers | {"model": name, "x": numbers["bytes"] / 1e6} for name, numbers in sized.items()]
    return sorted(points, key=lambda point: -point["x"])


if __name__ == "__main__":
    main()
