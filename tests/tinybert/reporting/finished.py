"""A folder in which every stage but the report has run, with numbers and texts made by hand."""

import math
from pathlib import Path
from typing import Any

from stages.parameters.tasks import resolve
from stages.report import Parameters
from tinybert.files import write_curve, write_json

HOSTILE = "</script><img src=x onerror=alert(1)><b>&amp;\"'`{{ 7*7 }}$\\frac{"
"""What a label, a text or an answer may be."""
LOSSES = {
    "teacher": {"hard": (3.9, 0.8)},
    "intermediate": {"embedding": (0.2, 0.05), "hidden": (2.3, 0.9), "attention": (14.0, 3.0)},
    "prediction": {"hard": (2.1, 0.9), "soft": (4.2, 1.9)},
}
SCORES = {
    "library": (0.677, 0.69, 0.688),
    "entities": (0.687, 0.63, 0.624),
    "answers": (0.549, 0.552, 0.51),
}
MODELS = ("teacher", "student", "student_int8")
FLOORS = {"library": {"baseline": 0.22, "tfidf": 0.61}, "entities": {"baseline": 0.374}, "answers": {"baseline": 0.222}}
"""Of classification alone there is a bag of words."""
VALIDATION = 0.02
"""By how much a score on validation exceeds that on test."""
WORSE = {"small": 0.0, "tiny": 0.2}
"""What a student's scores lack of those in SCORES."""
SIZES = {
    "teacher": (5463554, 3358466, 423624704, 21870000),
    "student": (1520130, 470914, 56623104, 6090000),
    "student_int8": (1520130, 470914, 56623104, 1720000),
}
MACHINE = {
    **{"processor": "A processor", "instructions": "AVX512", "gpu": None, "threads": 2, "processes": 1},
    **{"precision": "float32", "system": "Linux x86_64", "python": "3.11.7", "packages": {"torch": "2.13.0"}},
}


def finish(folder: Path, p: Parameters) -> None:
    """Write what the report reads into `folder`: of the tasks of SCORES and the students of WORSE that `p` has."""
    _curve(folder / "reports/pretrain/curve.tsv", {"loss": (8.9, 3.9)}, validated=False)
    write_json(folder / "reports/pretrain/machine.json", MACHINE)
    for student in p.students:
        _distill(folder / "reports/distill" / student)
    for task, section in p.tasks.items():
        for part, numbers in resolve(section, p.finetuning, p.sources).items():
            write_json(folder / "plan/tasks" / task / f"{part}.json", numbers)
        reports = folder / "reports/tasks" / task
        _curve(reports / "teacher/curve.tsv", LOSSES["teacher"], validated=True)
        write_json(reports / "floor.json", floor(task, section.metric))
        for stage in ("teacher", "teaching"):
            write_json(reports / stage / "machine.json", MACHINE)
        for student in p.students:
            _student(reports / "students" / student, task, student, metric=section.metric)


def _distill(folder: Path) -> None:
    _curve(folder / "curve.tsv", LOSSES["intermediate"] | {"prediction": (6.8, 4.6)}, validated=False)
    write_json(folder / "machine.json", MACHINE)
    accuracy = {"teacher": {"accuracy": 0.25856, "loss": 5.1}, "student": {"accuracy": 0.23864, "loss": 5.3}}
    sizes = {"teacher": 5463554, "student": 1520130}
    write_json(folder / "metrics.json", {"heldout_mlm": accuracy, "parameters": sizes})


def _student(folder: Path, task: str, student: str, *, metric: str) -> None:
    _curve(folder / "intermediate_curve.tsv", LOSSES["intermediate"], validated=False)
    _curve(folder / "curve.tsv", LOSSES["prediction"], validated=True)
    for name in ("machine", "evaluate_machine"):
        write_json(folder / f"{name}.json", MACHINE)
    write_json(folder / "metrics.json", evaluated(task, metric, student=student))
    write_json(folder / "findings.json", findings(task, text=HOSTILE))
    write_json(folder / "measure.json", MEASURED)


def floor(task: str, metric: str) -> dict[str, Any]:
    """The floor.json of floor."""

    def row(score: float) -> dict[str, Any]:
        interval = [round(score + by, 5) for by in (-0.03, 0.03)]
        return {"score": score, "interval": interval, "validation": round(score + VALIDATION, 5)}

    models = {model: {metric: row(score), "other": row(score / 2)} for model, score in FLOORS[task].items()}
    return {"models": models}


def evaluated(task: str, metric: str, *, student: str = "small") -> dict[str, Any]:
    """The metrics.json of evaluate."""
    worse = {model: WORSE[student] if model.startswith("student") else 0.0 for model in MODELS}
    scores = {model: round(score - worse[model], 5) for model, score in zip(MODELS, SCORES[task], strict=True)}
    compared = {
        model: {"score": score, "interval": [round(score + by, 5) for by in (-0.03, 0.03)]}
        for model, score in scores.items()
    }
    for model in set(MODELS) - {"teacher"}:
        gap = round(scores[model] - scores["teacher"], 5)
        compared[model] |= {"retained": round(scores[model] / scores["teacher"], 5), "difference": gap}
        compared[model]["difference_interval"] = [round(gap + by, 5) for by in (-0.02, 0.02)]
    test = {model: {metric: score, "other": score / 2} for model, score in scores.items()}
    return {
        "compared": compared,
        "hub": {"head": "AutoModelForSequenceClassification", "pipeline_tag": "text-classification"},
        "rows": 1000,
        "scores": test,
        "validation": {
            model: {name: round(score + VALIDATION, 5) for name, score in row.items()} for model, row in test.items()
        },
    }


def findings(task: str, *, text: str) -> dict[str, Any]:
    """The findings.json of evaluate."""
    labels = [text, "pandas", "scipy", "torch"] if task != "answers" else []
    size = range(len(labels))
    matrix = [[len(labels) * 30 if row == column else 4 + row for column in size] for row in size]
    long = f"Returns the sum of {text} over an axis, and a_very_long_name_without_any_space_{'x' * 80}.\nSecond line."
    predictions = dict(zip(MODELS, ("torch", text, ""), strict=True))
    error = {"mistake": 0.97, "text": long, "gold": text, "predictions": predictions}
    counts = {model: matrix for model in ("teacher", "student")}
    sizes = {"ece": 0.08123, "ece_scaled": 0.02345, "temperature": 1.61803}
    return {
        "calibration": {model: sizes for model in MODELS} if labels else {},
        "confusion": {"labels": labels, "counts": counts},
        "errors": [error] * 3,
        "errors_of": "student",
    }


def _variant(variant: str, **figures: Any) -> dict[str, Any]:
    return dict(zip(("model", "runtime", "precision"), variant.split("/"), strict=True)) | figures


def _latency(variant: str, median: float, *, length: int = 128) -> dict[str, Any]:
    figures = {"median_ms": median, "p95_ms": median * 1.2, "p99_ms": median * 1.6, "ratio": 9.0 / median}
    return _variant(variant, length=length, batch_size=1, **figures)


MEASURED = {
    "models": {
        model: dict(zip(("parameters", "parameters_without_embeddings", "multiply_adds", "bytes"), sizes, strict=True))
        for model, sizes in SIZES.items()
    },
    "machine": MACHINE,
    "threads": 2,
    "latency": [
        _latency("teacher/torch/float32", 2.5, length=16),
        _latency("student_int8/onnxruntime/int8", 0.3, length=16),
        _latency("teacher/torch/float32", 9.0),
        _latency("student/torch/float32", 3.0),
        _latency("student/onnxruntime/float32", 2.0),
        _latency("student_int8/onnxruntime/int8", 0.9),
    ],
    "processes": [
        _variant("teacher/torch/float32", load_ms=912.3, peak_bytes=512_000_000),
        _variant("student_int8/onnxruntime/int8", load_ms=31.2, peak_bytes=None),
    ],
    "throughput": [
        _variant(variant, length=128, batch_size=32, sequences_per_second=speed, ratio=speed / 150.0)
        for variant, speed in (("teacher/torch/float32", 150.0), ("student_int8/onnxruntime/int8", 1900.0))
    ],
}
"""The measure.json of measure."""


def _curve(file: Path, losses: dict[str, tuple[float, float]], *, validated: bool) -> None:
    rows: list[dict[str, float]] = []
    for step in range(10, 310, 10):
        fall = math.exp(-step / 80)
        row = {name: round(last + (first - last) * fall, 5) for name, (first, last) in losses.items()}
        rows.append({"step": step, "learning_rate": 0.001, **row})
        if validated and step % 100 == 0:
            rows.append({"step": step, "validation": round(0.7 - 0.4 * fall, 5)})
    write_curve(file, rows)
