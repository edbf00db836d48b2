"""The few numbers that commits are compared by: one small file for each task and model, all with the same names."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

Tree = dict[str, Any]
SIZES = ("parameters", "multiply_adds", "bytes")
SIZE_COLUMNS = ("task", "model", "score", *SIZES)
CURVE_COLUMNS = ("step", "series", "value")
CONFUSION_COLUMNS = ("model", "gold", "predicted", "rows")
MASKED_WORDS = "masked-words"
"""Beside the tasks: what pretraining and general distillation are measured by. No name of a task has a hyphen."""
ORDER = ("teacher", "student", "exported", "baseline")
"""In which models are shown."""


def ordered(tree: Any) -> Any:
    """The same with every mapping from models in ORDER, which sorted keys on disk have lost."""
    if isinstance(tree, list):
        return [ordered(one) for one in tree]
    if not isinstance(tree, dict):
        return tree
    return {key: ordered(tree[key]) for key in sorted(tree, key=lambda key: ORDER.index(key) if key in ORDER else -1)}


def headline(evaluated: Mapping[str, Any], sizes: Mapping[str, Any], *, metric: str) -> dict[str, Tree]:
    """Of one task, for each model: score with interval, what is kept of the teacher's, size; nothing that was timed."""
    found: dict[str, Tree] = {}
    for who, one in evaluated["compared"].items():
        found[who] = {"metric": metric, "score": one["score"], **_ends("score", one["interval"])}
        if "retained" in one and who != "baseline":
            found[who] |= {"retained": one["retained"], "versus_teacher": one["difference"]}
            found[who] |= _ends("versus_teacher", one["difference_interval"])
        found[who] |= {name: sizes[who][name] for name in SIZES if name in sizes.get(who, {})}
    return found


def masked_words(distilled: Mapping[str, Any]) -> dict[str, Tree]:
    """The models before they get a task's head, on held-out text; nothing where distill.losses.prediction is 0."""
    return {
        who: {
            "metric": "accuracy",
            "score": distilled["masked_words"][who]["accuracy"],
            "parameters": distilled["parameters"][who],
        }
        for who in ordered(distilled["masked_words"])
    }


def speed(benchmark: Mapping[str, Any]) -> dict[str, Tree]:
    """For each model but the teacher, how many times the teacher's speed its fastest form has on one long text."""
    found: dict[str, Tree] = {}
    longest = max(row["length"] for row in benchmark["latency"])
    for row in benchmark["latency"]:
        if row["who"] != "teacher" and row["length"] == longest:
            best = max(row["ratio"], found.get(row["who"], {"speed_up": 0.0})["speed_up"])
            found[row["who"]] = {"speed_up": round(best, 2)}
    return found


def size_rows(headlines: Mapping[str, Mapping[str, Tree]]) -> list[Tree]:
    """One row for each task and model that has a size, for a plot of size against score."""
    return [
        {"task": task, "model": who, "score": one["score"], **{name: one[name] for name in SIZES if name in one}}
        for task, models in headlines.items()
        for who, one in models.items()
        if "parameters" in one
    ]


def series(rows: Iterable[Mapping[str, str]]) -> list[Tree]:
    """A curve in long form, step, series and value, since curves have different columns and cells without a value."""
    return [
        {"step": row["step"], "series": name, "value": value}
        for row in rows
        for name, value in row.items()
        if name not in ("step", "learning_rate") and value
    ]


def confusion_rows(confusion: Mapping[str, Any]) -> list[Tree]:
    """Confusion in long form: model, gold, predicted and how many rows; none where the kind of task has no classes.

    A label's `<` becomes another sign: the page of `dvc plots` puts labels into a script, which `</script>` would end.
    """
    labels = [str(label).replace("<", "\u2039") for label in confusion["labels"]]
    return [
        {"model": who, "gold": gold, "predicted": predicted, "rows": count}
        for who, table in confusion["counts"].items()
        for gold, counts in zip(labels, table, strict=True)
        for predicted, count in zip(labels, counts, strict=True)
    ]


def group(machines: Mapping[str, Tree]) -> list[Tree]:
    """Machines by stage as a list of those that differ, each with its stages."""
    groups: dict[str, Tree] = {}
    for stage, machine in machines.items():
        groups.setdefault(json.dumps(machine, sort_keys=True), machine | {"stages": []})["stages"].append(stage)
    return list(groups.values())


def _ends(name: str, interval: list[float]) -> Tree:
    low, high = interval
    return {f"{name}_low": low, f"{name}_high": high}
