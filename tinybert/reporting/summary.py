"""The few numbers that commits are compared by: one small file per task and model, all with the same keys."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinybert.files import write_json, write_table
from tinybert.reporting.results import BASELINE, TEACHER, Curve, Results, Tree, merge_tables

SIZES = ("parameters", "multiply_adds", "bytes")
SIZE_COLUMNS = ("task", "model", "score", *SIZES)
CURVE_COLUMNS = ("step", "series", "value")
CONFUSION_COLUMNS = ("model", "gold", "predicted", "rows")
HELDOUT_MLM = "heldout-mlm"
"""Beside the tasks: the score of pretraining and general distillation. No task has a hyphen in its name."""


def headline(results: Results) -> dict[str, Tree]:
    """For each model: score with interval, difference from the teacher, size; nothing that was timed."""
    models: dict[str, Tree] = {}
    for model, row in results.compared.items():
        models[model] = {"metric": results.metric, "score": row["score"], **_ends("score", row["interval"])}
        if "retained" in row and model != BASELINE:
            models[model] |= {"retained": row["retained"], "versus_teacher": row["difference"]}
            models[model] |= _ends("versus_teacher", row["difference_interval"])
        sizes = results.sizes.get(model, {})
        models[model] |= {name: sizes[name] for name in SIZES if name in sizes}
    return models


def heldout_mlm(distilled: Mapping[str, Mapping[str, Any]]) -> dict[str, Tree]:
    """The models before they get a task head, on held-out text; nothing where distill.losses.prediction is 0.

    `distilled` is the metrics.json of general distillation by student.
    """
    scores = merge_tables({student: metrics["heldout_mlm"] for student, metrics in distilled.items()})
    parameters = merge_tables({student: metrics["parameters"] for student, metrics in distilled.items()})
    return {
        model: {"metric": "accuracy", "score": score["accuracy"], "parameters": parameters[model]}
        for model, score in scores.items()
    }


def speed(latency: Iterable[Tree]) -> dict[str, Tree]:
    """For each model but the teacher: the speed-up of its fastest variant on one sequence of the longest length."""
    rows = list(latency)
    longest = max(row["length"] for row in rows)
    fastest: dict[str, float] = {}
    for row in rows:
        if row["model"] != TEACHER and row["length"] == longest:
            fastest[row["model"]] = max(row["ratio"], fastest.get(row["model"], 0.0))
    return {model: {"speed_up": round(ratio, 2)} for model, ratio in fastest.items()}


def size_rows(headlines: Mapping[str, Mapping[str, Tree]]) -> list[Tree]:
    """One row for each task and model that has a size, for a plot of score against size."""
    return [
        {"task": task, "model": model, "score": row["score"], **{name: row[name] for name in SIZES if name in row}}
        for task, models in headlines.items()
        for model, row in models.items()
        if "parameters" in row
    ]


def series(rows: Iterable[Mapping[str, str]]) -> list[Tree]:
    """A curve in long form (step, series, value): the columns of curves differ, and some cells are empty."""
    return [
        {"step": row["step"], "series": name, "value": value}
        for row in rows
        for name, value in row.items()
        if name not in ("step", "learning_rate") and value
    ]


def confusion_rows(results: Results) -> list[Tree]:
    """Confusion matrices in long form, of all models; none where the kind of task has no classes.

    A label's `<` is replaced: the page of `dvc plots` puts labels into a script, which `</script>` would end.
    """
    labels = [str(label).replace("<", "\u2039") for label in results.labels]
    return [
        {"model": model, "gold": gold, "predicted": predicted, "rows": count}
        for model, matrix in results.confusion.items()
        for gold, counts in zip(labels, matrix, strict=True)
        for predicted, count in zip(labels, counts, strict=True)
    ]


def group_machines(machines: Mapping[str, Tree]) -> list[Tree]:
    """Machines by stage as a list of distinct machines, each with its stages."""
    groups: dict[str, Tree] = {}
    for stage, machine in machines.items():
        groups.setdefault(json.dumps(machine, sort_keys=True), machine | {"stages": []})["stages"].append(stage)
    return list(groups.values())


def write_models(folder: Path, numbers: Mapping[str, Mapping[str, Tree]]) -> None:
    """One file per task and model."""
    for task, models in numbers.items():
        for model, values in models.items():
            (folder / task).mkdir(exist_ok=True)
            write_json(folder / task / f"{model}.json", values)


def write_curves(folder: Path, curves: Iterable[Curve]) -> None:
    """One file per curve; none for a phase of no steps."""
    for curve in curves:
        if rows := series(curve.rows):
            write_table(folder / f"{curve.name}.tsv", CURVE_COLUMNS, rows)


def write_confusion(folder: Path, results: Mapping[str, Results]) -> None:
    """One file per task with classes."""
    for task in results:
        if rows := confusion_rows(results[task]):
            write_table(folder / f"{task}.tsv", CONFUSION_COLUMNS, rows)
    if not any(folder.iterdir()):  # git keeps no empty folder, so that clones would lack an output
        write_table(folder / "no_task_has_classes.tsv", CONFUSION_COLUMNS, [])


def _ends(name: str, interval: list[float]) -> Tree:
    low, high = interval
    return {f"{name}_low": low, f"{name}_high": high}
