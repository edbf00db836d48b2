"""The scores of the last commits and experiments as one page: `python -m tools.history`.

This is a command and no stage, since it reads git, which DVC cannot hash.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from stages.pipeline import durations
from stages.reporting.charts import MARKERS, SERIES, WIDTH, as_element, legend
from stages.reporting.page import chart, render
from stages.reporting.summary import MASKED_WORDS, ORDER
from tools.revisions import Revision, revisions

HERE = Path(__file__).parent
Line = Sequence[Mapping[str, Any] | None]
"""The numbers of one model over revisions; None where there are none."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Scores of the last commits and experiments, as one page.")
    parser.add_argument("--last", type=int, default=20, help="commits, and experiments, at most (20)")
    parser.add_argument("--output", type=Path, default=Path("reports/history.html"))
    chosen = parser.parse_args()
    found = revisions(Path.cwd(), last=chosen.last)
    if not found:
        raise SystemExit("no commit has metrics yet: run `dvc repro` and commit reports/metrics")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(page(found, durations.read(Path(".state/durations"))), encoding="utf-8", newline="\n")
    print(f"{chosen.output}: {len(found)} revision(s)")


def page(found: Sequence[Revision], took: Mapping[str, Any]) -> str:
    tasks = {name: _lines(found, name) for name in _tasks(found)}
    return render(
        "history.html",
        folder=HERE,
        revisions=found,
        charts=[_chart(name, lines, [one.name for one in found]) for name, lines in tasks.items()],
        tasks=tasks,
        took=took,
    )


def _tasks(found: Sequence[Revision]) -> list[str]:
    """Those of the newest revision first, masked words last."""
    names = dict.fromkeys(name for one in reversed(found) for name in one.metrics)
    return sorted(names, key=lambda name: name == MASKED_WORDS)


def _lines(found: Sequence[Revision], task: str) -> dict[str, Line]:
    known = {who for one in found for who in one.metrics.get(task, {})}
    return {who: [one.metrics.get(task, {}).get(who) for one in found] for who in ORDER if who in known}


def _chart(task: str, lines: Mapping[str, Line], ticks: Sequence[str]) -> dict[str, str]:
    figure, axes = plt.subplots(figsize=(WIDTH, 3), layout="constrained")
    for number, (who, numbers) in enumerate(lines.items()):
        places = [place for place, one in enumerate(numbers) if one]
        known = [one for one in numbers if one]
        axes.plot(places, [one["score"] for one in known], color=SERIES[number], marker=MARKERS.get(who, "^"),
                  markersize=5, linewidth=1.2, label=who)  # fmt: skip
        low, high = ([one.get(f"score_{end}", one["score"]) for one in known] for end in ("low", "high"))
        axes.fill_between(places, low, high, color=SERIES[number], alpha=0.15, linewidth=0)
    axes.set_xticks(range(len(ticks)), list(ticks), rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_ylabel("score")
    legend(figure, axes)
    said = "; ".join(f"{who} {one[-1]['score']:.3f}" for who, one in lines.items() if one[-1])
    return chart(task, as_element(figure, f"history-{task}"), seen=f"in {ticks[-1]}: {said}")


if __name__ == "__main__":
    main()
