"""The results that a report shows: merged over students, and the few numbers by which commits are compared.

In the files of a student S its models are called `teacher`, `student` and `student_int8`. Here they are `teacher`, `S`
and `S_int8`. The teacher is the same in all files and is taken from the first student's. What takes no BERT, the
floors, comes from a file of the task.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tinybert.files import write_json, write_table

Tree = dict[str, Any]
Table = list[dict[str, str]]
"""A file of tab-separated values."""
T = TypeVar("T")
TEACHER = "teacher"
FLOORS = ("tfidf", "baseline")
"""A bag of words and a trivial prediction, which have a score and no size."""
CALIBRATION = ("ece", "ece_scaled", "temperature")
INTERMEDIATE = "intermediate distillation (hidden states, attention)"
SIZES = ("parameters", "multiply_adds", "bytes")
SIZE_COLUMNS = ("task", "model", "score", *SIZES)
CURVE_COLUMNS = ("step", "series", "value")
CONFUSION_COLUMNS = ("model", "gold", "predicted", "rows")
FEW_CLASSES = 12
"""Up to so many a confusion matrix is a table of numbers; of more it is drawn."""
HELDOUT_MLM = "heldout-mlm"
"""Beside the tasks: the score of pretraining and general distillation. No task has a hyphen in its name."""


@dataclass(frozen=True)
class Results:
    """Results of one task, of all its models."""

    metric: str
    """Name of the score that the report is about."""
    rows: int
    """Test rows."""
    compared: dict[str, Tree]
    """By model: `metric` with its interval, and, but for floors, the difference from the teacher."""
    scores: dict[str, dict[str, float]]
    """By model: all scores."""
    validation: dict[str, dict[str, float]]
    """The same on the validation split, by which whatever is chosen is chosen."""
    calibration: dict[str, Tree]
    """By model: CALIBRATION; empty where the kind of task has no classes."""
    labels: list[str]
    """Of the confusion matrices; empty where the kind of task has no classes."""
    confusion: dict[str, list[list[int]]]
    """By model: rows counted as [gold][predicted]."""
    errors: dict[str, list[Tree]]
    """By student: its worst errors, with the predictions of all models that its files know."""
    sizes: dict[str, Tree]
    """By model."""
    latency: list[Tree]
    throughput: list[Tree]
    processes: list[Tree]


def merge_students(files: Mapping[str, Mapping[str, Tree]], floor: Mapping[str, Tree], *, metric: str) -> Results:
    """`files` are by student: the contents of `metrics`, `findings` and `measure`, as the stages wrote them.

    `floor` is the content of floor.json, of the same task.
    """

    def part(file: str, key: str) -> dict[str, Any]:
        return {student: content[file][key] for student, content in files.items()}

    def floors(key: str) -> dict[str, dict[str, Any]]:
        """By floor and metric."""
        models = floor["models"]
        return {model: {name: row[key] for name, row in models[model].items()} for model in FLOORS if model in models}

    confusion = part("findings", "confusion")
    intervals = floors("interval")
    return Results(
        metric=metric,
        rows=next(iter(part("metrics", "rows").values())),
        compared=merge_tables(part("metrics", "compared"))
        | {
            model: {"score": row[metric], "interval": intervals[model][metric]}
            for model, row in floors("score").items()
        },
        scores=merge_tables(part("metrics", "scores")) | floors("score"),
        validation=merge_tables(part("metrics", "validation")) | floors("validation"),
        calibration=merge_tables(part("findings", "calibration")),
        labels=next(iter(confusion.values()))["labels"],
        confusion=merge_tables({student: matrix["counts"] for student, matrix in confusion.items()}),
        errors={student: _errors(student, errors) for student, errors in part("findings", "errors").items()},
        sizes=merge_tables(part("measure", "models")),
        latency=merge_rows(part("measure", "latency")),
        throughput=merge_rows(part("measure", "throughput")),
        processes=merge_rows(part("measure", "processes")),
    )


def model_name(model: str, student: str) -> str:
    """The name in a report of what the files of `student` call `model`."""
    return student + model.removeprefix("student") if model.startswith("student") else model


def rank(model: str) -> int:
    """Sorts the teacher first and the floors last."""
    return {TEACHER: 0, **{floor: number for number, floor in enumerate(FLOORS, start=2)}}.get(model, 1)


def merge_tables(tables: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    """One table by model from a table of each student, in the order teacher, students.

    The tables themselves have the order of their files, which are sorted by key.
    """
    merged: dict[str, T] = {}
    for student, table in tables.items():
        for model in sorted(table):
            merged.setdefault(model_name(model, student), table[model])
    return {model: merged[model] for model in sorted(merged, key=rank)}


def merge_rows(tables: Mapping[str, Sequence[Tree]]) -> list[Tree]:
    """The rows of all students under one another; speed-ups stay relative to the teacher in the student's own file."""
    return [
        row | {"model": model_name(row["model"], student)}
        for number, (student, rows) in enumerate(tables.items())
        for row in rows
        if number == 0 or row["model"] != TEACHER
    ]


def _errors(student: str, errors: Iterable[Tree]) -> list[Tree]:
    return [error | {"predictions": merge_tables({student: error["predictions"]})} for error in errors]


class Curve(NamedTuple):
    """A training curve: the name of its file, the title of its chart, and its table."""

    name: str
    title: str
    rows: Table


def general_curves(pretrain: Table, distill: Mapping[str, Table]) -> list[Curve]:
    """Of pretraining and of each student's general distillation."""
    return [
        Curve("pretrain", "Masked-language-model pretraining", pretrain),
        *(Curve(f"distill-{student}", f"{student}: general distillation", rows) for student, rows in distill.items()),
    ]


def task_curves(task: str, teacher: Table, students: Mapping[str, Sequence[Table]]) -> list[Curve]:
    """Of the teacher's fine-tuning, and of each student's intermediate distillation and training on predictions."""
    curves = [Curve(f"{task}-{TEACHER}", f"{TEACHER}: fine-tuning", teacher)]
    for student, (intermediate, prediction) in students.items():
        phase = "prediction distillation" if any("soft" in row for row in prediction) else "fine-tuning"
        curves += [
            Curve(f"{task}-{student}-intermediate", f"{student}: {INTERMEDIATE}", intermediate),
            Curve(f"{task}-{student}", f"{student}: {phase}", prediction),
        ]
    return curves


def headline(results: Results) -> dict[str, Tree]:
    """For each model: score on test with interval, score on validation, difference from the teacher, size, calibration.

    Nothing that was timed: it would differ from run to run.
    """
    models: dict[str, Tree] = {}
    for model, row in results.compared.items():
        models[model] = {"metric": results.metric, "score": row["score"], **_ends("score", row["interval"])}
        models[model]["validation"] = results.validation[model][results.metric]
        if "retained" in row:
            models[model] |= {"retained": row["retained"], "versus_teacher": row["difference"]}
            models[model] |= _ends("versus_teacher", row["difference_interval"])
        sizes = results.sizes.get(model, {})
        models[model] |= {name: sizes[name] for name in SIZES if name in sizes}
        models[model] |= results.calibration.get(model, {})
    return models


def _ends(name: str, interval: list[float]) -> Tree:
    low, high = interval
    return {f"{name}_low": low, f"{name}_high": high}


def heldout_mlm(distilled: Mapping[str, Mapping[str, Any]]) -> dict[str, Tree]:
    """The models before they get a task head, on held-out text; nothing where no loss of the MLM head was distilled.

    `distilled` is the metrics.json of general distillation by student.
    """
    scores = merge_tables({student: metrics["heldout_mlm"] for student, metrics in distilled.items()})
    parameters = merge_tables({student: metrics["parameters"] for student, metrics in distilled.items()})
    return {
        model: {"metric": "accuracy", "score": score["accuracy"], "parameters": parameters[model]}
        for model, score in scores.items()
    }


def latency_by_model(latency: Sequence[Tree]) -> dict[str, list[Tree]]:
    """By model: the latency of each of its variants on one sequence of the longest length."""
    longest = max((row["length"] for row in latency), default=0)
    models: dict[str, list[Tree]] = {}
    for row in (row for row in latency if row["length"] == longest):
        models.setdefault(row["model"], []).append(row)
    return models


def speed(latency: Sequence[Tree]) -> dict[str, Tree]:
    """For each model but the teacher: the speed-up of its fastest variant, and `busy` where others disturbed it."""
    fastest = {model: max(rows, key=lambda row: row["ratio"]) for model, rows in latency_by_model(latency).items()}
    return {
        model: {"speed_up": round(row["ratio"], 2)} | ({"busy": True} if row.get("busy") else {})
        for model, row in fastest.items()
        if model != TEACHER
    }


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

    Of many classes the empty cells are left out. A label's `<` is replaced: the page of `dvc plots` puts labels into a
    script, which `</script>` would end.
    """
    labels = [str(label).replace("<", "\u2039") for label in results.labels]
    return [
        {"model": model, "gold": gold, "predicted": predicted, "rows": count}
        for model, matrix in results.confusion.items()
        for gold, counts in zip(labels, matrix, strict=True)
        for predicted, count in zip(labels, counts, strict=True)
        if count or len(labels) <= FEW_CLASSES
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
