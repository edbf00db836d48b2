"""The scores of the last commits and experiments as one page: `python -m tools.history`.

This is a command and no stage, since it reads git, which DVC cannot hash.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from stages.pipeline import durations
from tinybert.reporting.charts import SERIES, WIDTH, as_element, legend, markers_of
from tinybert.reporting.page import chart, render
from tinybert.reporting.results import rank
from tools.revisions import Revision, revisions

HERE = Path(__file__).parent
Line = Sequence[Mapping[str, Any] | None]
"""The numbers of one model by revision; None where a revision does not have the model."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Scores of the last commits and experiments, as one page.")
    parser.add_argument("--last", type=int, default=20, help="commits, and experiments, at most (20)")
    parser.add_argument("--output", type=Path, default=Path("reports/history.html"))
    options = parser.parse_args()
    history = revisions(Path.cwd(), last=options.last)
    if not history:
        raise SystemExit("no commit has metrics yet: run `dvc repro` and commit reports/metrics")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    text = page(history, durations.read(Path(".state/durations")))
    options.output.write_text(text, encoding="utf-8", newline="\n")
    print(f"{options.output}: {len(history)} revision(s)")


def page(history: Sequence[Revision], stage_durations: Mapping[str, Any]) -> str:
    tasks = {name: _lines(history, name) for name in _tasks(history)}
    return render(
        "history.html",
        folder=HERE,
        revisions=history,
        charts=[_chart(name, lines, [revision.name for revision in history]) for name, lines in tasks.items()],
        tasks=tasks,
        durations=stage_durations,
    )


def _tasks(history: Sequence[Revision]) -> list[str]:
    """Those of the newest revision first; last held-out MLM (`heldout-mlm`, once `masked-words`), which is no task."""
    names = dict.fromkeys(name for revision in reversed(history) for name in revision.metrics)
    return sorted(names, key=lambda name: "-" in name)


def _lines(history: Sequence[Revision], task: str) -> dict[str, Line]:
    """By model, as each revision names it."""
    models = {model for revision in history for model in revision.metrics.get(task, {})}
    return {
        model: [revision.metrics.get(task, {}).get(model) for revision in history]
        for model in sorted(sorted(models), key=rank)
    }


def _chart(task: str, lines: Mapping[str, Line], ticks: Sequence[str]) -> dict[str, str]:
    figure, axes = plt.subplots(figsize=(WIDTH, 3), layout="constrained")
    markers = markers_of(lines)
    for number, (model, line) in enumerate(lines.items()):
        colour = SERIES[number % len(SERIES)]
        points = [(place, row) for place, row in enumerate(line) if row]
        places = [place for place, _ in points]
        axes.plot(places, [row["score"] for _, row in points], color=colour, marker=markers[model], markersize=5,
                  linewidth=1.2, label=model)  # fmt: skip
        low, high = ([row.get(f"score_{end}", row["score"]) for _, row in points] for end in ("low", "high"))
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xticks(range(len(ticks)), list(ticks), rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_ylabel("score")
    legend(figure, axes)
    last = "; ".join(f"{model} {line[-1]['score']:.3f}" for model, line in lines.items() if line[-1])
    return chart(task, as_element(figure, f"history-{task}"), text=f"in {ticks[-1]}: {last}")


if __name__ == "__main__":
    main()
