"""One page to look at, model cards, and the numbers and curves that git keeps for comparing commits.

In: reports/{pretrain,distill}, reports/tasks, all parameters.
Out: reports/{report.html,metrics,speed,curves,confusion,sizes.tsv,machines.json,cards}.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.parameters.whole import Whole
from stages.pipeline.outputs import whole, whole_folder
from stages.pipeline.progress import say
from stages.pipeline.stage import Run, run
from stages.reporting.card import card
from stages.reporting.content import against, curve, task_content
from stages.reporting.page import leaves, render
from stages.reporting.plots import read_table, write_table
from stages.reporting.summary import (
    CONFUSION_COLUMNS,
    CURVE_COLUMNS,
    MASKED_WORDS,
    SIZE_COLUMNS,
    confusion_rows,
    group,
    headline,
    masked_words,
    ordered,
    series,
    size_rows,
    speed,
)
from stages.reporting.tables import write_json

GENERAL = ("pretrain", "distill")
CURVES = ("teacher", "intermediate", "student")
Found = dict[str, Any]


class Parameters(Whole):
    """The page shows every parameter, so that this stage reads all of them."""


def main(p: Parameters, run: Run) -> None:
    # DVC takes no notice of the order in params.yaml, so that the outputs must not depend on it.
    p = p.model_copy(update={"sources": dict(sorted(p.sources.items())), "tasks": dict(sorted(p.tasks.items()))})
    found = {task: read_task(Path("reports/tasks") / task) for task in p.tasks}
    general = {stage: _read_json(Path("reports") / stage / "metrics.json") for stage in GENERAL}
    headlines = {
        task: headline(one["metrics"], one["benchmark"]["models"], metric=p.tasks[task].metric)
        for task, one in found.items()
    }
    machines = group(_machines(list(p.tasks)))
    write_metrics("reports/metrics", headlines | {MASKED_WORDS: masked_words(general["distill"])})
    write_plots(found, headlines)
    write_cards(p, headlines, found)
    write_metrics("reports/speed", {task: speed(one["benchmark"]) for task, one in found.items()})
    with whole("reports/machines.json") as made_on, whole("reports/report.html") as page:
        write_json(made_on, machines)
        text = render(**content(p, found, headlines, general["distill"], machines))
        page.write_text(text, encoding="utf-8", newline="\n")
    say("reports/report.html is the page; `dvc metrics show` prints what is in reports/metrics")


def read_task(folder: Path) -> Found:
    """What evaluate, benchmark and fine-tuning have written of one task."""
    return {
        "metrics": ordered(_read_json(folder / "metrics.json")),
        "findings": ordered(_read_json(folder / "findings.json")),
        "benchmark": ordered(_read_json(folder / "benchmark.json")),
        "curves": {name: read_table(folder / f"{name}_curve.tsv") for name in CURVES},
    }


def write_metrics(place: str, numbers_of: dict[str, dict[str, Found]]) -> None:
    """One file for each task and model."""
    with whole_folder(place) as folder:
        for task, models in numbers_of.items():
            for who, numbers in models.items():
                (folder / task).mkdir(exist_ok=True)
                write_json(folder / task / f"{who}.json", numbers)


def write_plots(found: dict[str, Found], headlines: dict[str, dict[str, Found]]) -> None:
    with (
        whole_folder("reports/curves") as curves,
        whole_folder("reports/confusion") as confusion,
        whole("reports/sizes.tsv") as sizes,
    ):
        general = {stage: _general_curve(stage) for stage in GENERAL}
        of_tasks = {f"{task}_{name}": rows for task, one in found.items() for name, rows in one["curves"].items()}
        for name, rows in (general | of_tasks).items():
            _write_unless_empty(curves / f"{name}.tsv", CURVE_COLUMNS, series(rows))
        for task, one in found.items():
            of_classes = confusion_rows(one["findings"]["confusion"])
            _write_unless_empty(confusion / f"{task}.tsv", CONFUSION_COLUMNS, of_classes)
        if not any(confusion.iterdir()):  # git keeps no empty folder, so that clones would lack an output
            write_table(confusion / "no_task_has_classes.tsv", CONFUSION_COLUMNS, [])
        write_table(sizes, SIZE_COLUMNS, size_rows(headlines))


def _write_unless_empty(file: Path, columns: Sequence[str], rows: list[Found]) -> None:
    """A curve of no steps and a kind of task without classes leave no file."""
    if rows:
        write_table(file, columns, rows)


def write_cards(p: Parameters, headlines: dict[str, dict[str, Found]], found: dict[str, Found]) -> None:
    """A card has scores in it, so that it is made after the model's folder, which is an output of fine-tuning."""
    with whole_folder("reports/cards") as cards:
        for task, section in p.tasks.items():
            (cards / task).mkdir()
            text = card(
                task,
                metric=section.metric,
                found=found[task]["metrics"],
                models=headlines[task],
                source=_source(p, section.data.source),
                split=section.data.splits.test,
                max_length=section.encoding["max_length"],
                length=max(p.benchmark.lengths),
                on_corpus=p.distill.steps > 0,
                on_task=section.student.distill,
            )
            (cards / task / "README.md").write_text(text, encoding="utf-8", newline="\n")


def _source(p: Parameters, path: str) -> dict[str, str | None]:
    """What a task's data set is called, and where on the hub it is from, if it is."""
    name = path.removeprefix("data/raw/")
    source = p.sources.get(name.partition("/")[0])
    from_hub = source.options if source and source.kind == "hub" else {}
    return {"name": name, "repository": from_hub.get("repository"), "revision": from_hub.get("revision")}


def content(
    p: Parameters, found: dict[str, Found], headlines: dict[str, Found], distilled: Found, machines: Any
) -> Found:
    """What the page shows."""
    return {
        "general": {"parameters": distilled["parameters"], "masked_words": {
            who: one["score"] for who, one in masked_words(distilled).items()}},
        "tasks": {
            task: task_content(task, one, headlines[task], metric=p.tasks[task].metric) for task, one in found.items()
        },
        "against": against(headlines, {task: one["benchmark"]["latency"] for task, one in found.items()}),
        "longest": max(p.benchmark.lengths),
        "curves": [curve(stage, rows) for stage in GENERAL if (rows := _general_curve(stage))],
        "parameters": leaves(p.model_dump()),
        "machines": machines,
    }  # fmt: skip


def _general_curve(stage: str) -> list[dict[str, str]]:
    return read_table(Path("reports") / stage / "curve.tsv")


def _machines(tasks: list[str]) -> dict[str, Any]:
    files = {stage: Path("reports") / stage / "machine.json" for stage in GENERAL}
    for stage, name in (("finetune_teacher", "teacher"), ("finetune_student", "student"), ("evaluate", "evaluate")):
        files |= {f"{stage}@{task}": Path("reports/tasks") / task / f"{name}_machine.json" for task in tasks}
    return {stage: _read_json(file) for stage, file in files.items()}


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, Parameters)
