"""The picture of the README, from the committed metrics: `python -m tools.picture` writes docs/result.svg."""

import json
import re
from pathlib import Path
from typing import Any

from tinybert.reporting import charts

METRICS, PICTURE = Path("reports/metrics"), Path("docs/result.svg")
TITLE = "megabytes on disk"


def main() -> None:
    PICTURE.write_text(picture(Path()), encoding="utf-8", newline="\n")
    print(PICTURE)


def picture(project: Path) -> str:
    """Score over size of every model that has a size, as an SVG that follows a reader's light or dark page."""
    points = {folder.name: _points(folder) for folder in sorted((project / METRICS).iterdir()) if _points(folder)}
    markers = charts.markers_of(point["model"] for models in points.values() for point in models)
    svg = charts.scores(points, markers=markers, label=TITLE, name="result")
    style = (Path(charts.__file__).parent / "style.css").read_text(encoding="utf-8")
    colours = re.findall(r"^:root \{.*?^\}|^@media \(prefers-color-scheme: dark\) \{.*?^\}", style, re.DOTALL | re.M)
    head, tag, body = svg.partition(">")
    return f"{head}{tag}\n<style>{''.join(colours)}</style>{body}\n"


def _points(folder: Path) -> list[dict[str, Any]]:
    """The models of a task from the largest to the smallest; a model without weights has no bytes."""
    models = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")}
    sized = [
        numbers | {"model": name, "x": numbers["bytes"] / 1e6} for name, numbers in models.items() if "bytes" in numbers
    ]
    return sorted(sized, key=lambda point: -point["x"])


if __name__ == "__main__":
    main()
