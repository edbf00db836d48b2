"""One page to look at, and the summary metrics and curves that git keeps for comparing commits.

In: reports/{pretrain,distill}, reports/tasks, all parameters.
Out: reports/report.html, reports/metrics.json, reports/curves.
"""

import csv
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.parameters.whole import Whole
from stages.pipeline.outputs import whole, whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.charts import curves_svg
from stages.reporting.page import render
from stages.reporting.tables import write_json

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate")
Curves = dict[str, list[dict[str, str]]]


class Parameters(Whole):
    """The page shows every parameter, so that this stage reads all of them."""


def main(p: Parameters, run: Run) -> None:
    scores = {task: _read_json(Path("reports/tasks") / task / "metrics.json") for task in p.tasks}
    general = {stage: _read_json(Path("reports") / stage / "metrics.json") for stage in ("pretrain", "distill")}
    files = {stage: Path("reports") / stage / "curve.tsv" for stage in ("pretrain", "distill")}
    for task in p.tasks:
        for curve in ("teacher", "intermediate", "student"):
            files[f"{task}_{curve}"] = Path("reports/tasks") / task / f"{curve}_curve.tsv"
    summary = summarize(scores, {task: section.metric for task, section in p.tasks.items()}, general)
    with (
        whole("reports/metrics.json") as file,
        whole("reports/report.html") as page,
        whole_folder("reports/curves") as curves,
    ):
        write_json(file, summary)
        for name, source in files.items():
            (curves / f"{name}.tsv").write_bytes(source.read_bytes())
        charts = {name: curves_svg(_rows(source), title=name) for name, source in files.items() if _rows(source)}
        text = render(summary=summary, scores=scores, charts=charts, parameters=p.model_dump(),
                      versions={package: version(package) for package in PACKAGES})  # fmt: skip
        page.write_text(text, encoding="utf-8", newline="\n")
    say("reports/report.html and reports/metrics.json are written")


def summarize(scores: dict[str, Any], metrics: dict[str, str], general: dict[str, Any]) -> dict[str, Any]:
    """A few numbers for each task, and what was saved; a size is that of the models before they get a task's head."""
    summary: dict[str, Any] = {"tasks": {}}
    for task, found in scores.items():
        heads = {who: found[who][metrics[task]] for who in ("baseline", "teacher", "student")}
        summary["tasks"][task] = {"metric": metrics[task], **heads, "retained": found["retained"]}
    summary["masked_words"] = {
        who: general["distill"]["masked_words"][who]["accuracy"] for who in ("teacher", "student")
    }
    summary["parameters"] = general["distill"]["parameters"]
    return summary


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _rows(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


if __name__ == "__main__":
    run(main, Parameters)
