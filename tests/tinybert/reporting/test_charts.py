"""Charts: lines that can be told apart."""

import re

from tinybert.reporting import charts


def test_the_lines_of_24_tasks_and_of_24_losses_differ() -> None:
    point = {"model": "teacher", "x": 1.0, "score": 0.5, "score_low": 0.4, "score_high": 0.6}
    tasks = {f"task {n}": [point, point | {"x": 2.0}] for n in range(24)}
    markers = charts.markers_of(["teacher"])
    losses = [{"step": str(step)} | {f"loss {n}": "1.0" for n in range(24)} for step in (1, 2)]
    for svg in (
        charts.scores(tasks, markers=markers, label="bytes", name="scores"),
        charts.curves(losses, name="curves"),
    ):
        drawn = {style for style in re.findall(r'style="(fill: none; [^"]*--series-[^"]*)"', svg)}
        assert len(drawn) >= 24
