"""One page to look at, and the summary metrics, curves and machines that git keeps for comparing commits.

In: reports/{pretrain,distill}, reports/tasks, all parameters.
Out: reports/report.html, reports/metrics.json, reports/machines.json, reports/curves.
"""

import csv
import json
from pathlib import Path
from typing import Any

from stages.parameters.whole import Whole
from stages.pipeline.outputs import whole, whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.charts import curves_svg
from stages.reporting.page import render
from stages.reporting.tables import write_json


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
    machines = group(_machines(list(p.tasks)))
    with (
        whole("reports/metrics.json") as file,
        whole("reports/machines.json") as made_on,
        whole("reports/report.html") as page,
        whole_folder("reports/curves") as curves,
    ):
        write_json(file, summary)
        write_json(made_on, machines)
        for name, source in files.items():
            (curves / f"{name}.tsv").write_bytes(source.read_bytes())
        charts = {name: curves_svg(_rows(source), title=name) for name, source in files.items() if _rows(source)}
        text = render(summary=summary, scores=scores, charts=charts, parameters=p.model_dump(),
                      machines=machines)  # fmt: skip
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


def group(machines: dict[str, Any]) -> list[dict[str, Any]]:
    """Machines by stage as a list of those that differ, each with its stages."""
    groups: dict[str, dict[str, Any]] = {}
    for stage, machine in machines.items():
        groups.setdefault(json.dumps(machine, sort_keys=True), machine | {"stages": []})["stages"].append(stage)
    return list(groups.values())


def _machines(tasks: list[str]) -> dict[str, Any]:
    files = {stage: Path("reports") / stage / "machine.json" for stage in ("pretrain", "distill")}
    for stage, name in (("finetune_teacher", "teacher"), ("finetune_student", "student"), ("evaluate", "evaluate")):
        files |= {f"{stage}@{task}": Path("reports/tasks") / task / f"{name}_machine.json" for task in tasks}
    return {stage: _read_json(file) for stage, file in files.items()}


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _rows(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


if __name__ == "__main__":
    run(main, Parameters)
