"""Results of one task, merged over its students.

In the files of a student S its models are called `teacher`, `student` and `student_int8`. Here they are `teacher`, `S`
and `S_int8`. The teacher and the baseline are the same in all files and are taken from the first student's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

Tree = dict[str, Any]
Table = list[dict[str, str]]
"""A file of tab-separated values."""
T = TypeVar("T")
TEACHER, BASELINE = "teacher", "baseline"
INTERMEDIATE = "intermediate distillation (hidden states, attention)"


@dataclass(frozen=True)
class Results:
    metric: str
    """Name of the score that the report is about."""
    rows: int
    """Test rows."""
    compared: dict[str, Tree]
    """By model: `metric` with its interval, and the difference from the teacher."""
    scores: dict[str, dict[str, float]]
    """By model: all scores."""
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


def merge_students(files: Mapping[str, Mapping[str, Tree]], *, metric: str) -> Results:
    """`files` are by student: the contents of `metrics`, `findings` and `measure`, as the stages wrote them."""

    def part(file: str, key: str) -> dict[str, Any]:
        return {student: content[file][key] for student, content in files.items()}

    confusion = part("findings", "confusion")
    return Results(
        metric=metric,
        rows=next(iter(part("metrics", "rows").values())),
        compared=merge_tables(part("metrics", "compared")),
        scores=merge_tables(part("metrics", "scores")),
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
    """Sorts the teacher first and the baseline last."""
    return {TEACHER: 0, BASELINE: 2}.get(model, 1)


def merge_tables(tables: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    """One table by model from a table of each student, in the order teacher, students, baseline.

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
