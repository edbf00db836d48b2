"""A folder in which every stage but the report has run, with numbers and texts made by hand."""

import math
from pathlib import Path
from typing import Any

from stages.report import Parameters
from stages.reporting.tables import write_curve, write_json

HOSTILE = "</script><img src=x onerror=alert(1)><b>&amp;\"'`{{ 7*7 }}$\\frac{"
"""What a label, a text or an answer may be."""
LOSSES = {
    "teacher": {"hard": (3.9, 0.8)},
    "intermediate": {"embedding": (0.2, 0.05), "hidden": (2.3, 0.9), "attention": (14.0, 3.0)},
    "student": {"hard": (2.1, 0.9), "soft": (4.2, 1.9)},
}
SCORES = {
    "library": (0.22, 0.677, 0.69, 0.688),
    "entities": (0.374, 0.687, 0.63, 0.624),
    "answers": (0.222, 0.549, 0.552, 0.51),
}
WHO = ("baseline", "teacher", "student", "exported")
SIZES = {
    "teacher": (5463554, 3358466, 423624704, 21870000),
    "student": (1520130, 470914, 56623104, 6090000),
    "exported": (1520130, 470914, 56623104, 1720000),
}
MACHINE = {
    **{"processor": "A processor", "instructions": "AVX512", "gpu": None, "threads": 2, "processes": 1},
    **{"precision": "float32", "system": "Linux x86_64", "python": "3.11.7", "packages": {"torch": "2.13.0"}},
}


def finish(folder: Path, p: Parameters, *, hostile: bool = True) -> None:
    """Write reports/ of every stage before the report into `folder`, for the tasks of SCORES."""
    for stage in ("pretrain", "distill"):
        write_json(_file(folder, f"reports/{stage}/machine.json"), MACHINE)
    write_json(folder / "reports/pretrain/metrics.json", {})
    accuracy = {"teacher": {"accuracy": 0.25856}, "student": {"accuracy": 0.23864}}
    sizes = {"teacher": 5463554, "student": 1520130}
    write_json(folder / "reports/distill/metrics.json", {"masked_words": accuracy, "parameters": sizes})
    _curve(folder / "reports/pretrain/curve.tsv", {"loss": (8.9, 3.9)}, validated=False)
    imitated = LOSSES["intermediate"] | {"prediction": (6.8, 4.6)}
    _curve(folder / "reports/distill/curve.tsv", imitated, validated=False)
    for task in p.tasks:
        _task(folder / "reports/tasks" / task, task, metric=p.tasks[task].metric, hostile=hostile)


def _task(folder: Path, task: str, *, metric: str, hostile: bool) -> None:
    for name, losses in LOSSES.items():
        _curve(_file(folder, f"{name}_curve.tsv"), losses, validated=name != "intermediate")
    for name in ("teacher", "student", "evaluate"):
        write_json(folder / f"{name}_machine.json", MACHINE)
    write_json(folder / "metrics.json", evaluated(task, metric))
    write_json(folder / "findings.json", findings(task, said=HOSTILE if hostile else "numpy"))
    write_json(folder / "benchmark.json", BENCHMARK)


def evaluated(task: str, metric: str) -> dict[str, Any]:
    scores = dict(zip(WHO, SCORES[task], strict=True))
    compared = {
        who: {"score": score, "interval": [round(score + by, 5) for by in (-0.03, 0.03)]}
        for who, score in scores.items()
    }
    for who in set(WHO) - {"teacher"}:
        gap = round(scores[who] - scores["teacher"], 5)
        kept = {"retained": round(scores[who] / scores["teacher"], 5), "difference": gap}
        compared[who] |= kept | {"difference_interval": [round(gap + by, 5) for by in (-0.02, 0.02)]}
    return {
        "compared": compared,
        "hub": {"head": "AutoModelForSequenceClassification", "pipeline_tag": "text-classification"},
        "rows": 1000,
        "scores": {who: {metric: score, "other": score / 2} for who, score in scores.items()},
    }


def findings(task: str, *, said: str) -> dict[str, Any]:
    labels = [said, "pandas", "scipy", "torch"] if task != "answers" else []
    table = [
        [len(labels) * 30 if row == column else 4 + row for column in range(len(labels))] for row in range(len(labels))
    ]
    text = f"Returns the sum of {said} over an axis, and a_very_long_name_without_any_space_{'x' * 80}.\nSecond line."
    error = {
        "mistake": 0.97,
        "text": text,
        "gold": said,
        "predictions": {"baseline": "torch", "teacher": said, "student": ""},
    }
    counts = {who: table for who in ("teacher", "student")} if labels else {"teacher": [], "student": []}
    return {"confusion": {"labels": labels, "counts": counts}, "errors": [error] * 3, "errors_of": "student"}


def _latency(who: str, runtime: str, precision: str, median: float, *, length: int = 128) -> dict[str, Any]:
    return {
        **{"who": who, "runtime": runtime, "precision": precision, "length": length, "batch_size": 1},
        **{"median_ms": median},
        **{"p95_ms": median * 1.2, "p99_ms": median * 1.6, "ratio": 9.0 / median},
    }


def _throughput(who: str, runtime: str, precision: str, rate: float) -> dict[str, Any]:
    return {
        **{"who": who, "runtime": runtime, "precision": precision, "length": 128, "batch_size": 32},
        **{"sequences_per_second": rate, "ratio": rate / 150.0},
    }


BENCHMARK = {
    "models": {
        who: dict(zip(("parameters", "parameters_without_embeddings", "multiply_adds", "bytes"), sizes, strict=True))
        for who, sizes in SIZES.items()
    },
    "machine": MACHINE,
    "threads": 2,
    "latency": [
        _latency("teacher", "torch", "float32", 2.5, length=16),
        _latency("exported", "onnxruntime", "int8", 0.3, length=16),
        _latency("teacher", "torch", "float32", 9.0),
        _latency("student", "torch", "float32", 3.0),
        _latency("student", "onnxruntime", "float32", 2.0),
        _latency("exported", "onnxruntime", "int8", 0.9),
    ],
    "processes": [
        {**{"who": who, "runtime": runtime, "precision": precision}, **{"load_ms": load, "peak_bytes": peak}}
        for who, runtime, precision, load, peak in (
            ("teacher", "torch", "float32", 912.3, 512_000_000),
            ("exported", "onnxruntime", "int8", 31.2, None),
        )
    ],
    "throughput": [
        _throughput("teacher", "torch", "float32", 150.0),
        _throughput("exported", "onnxruntime", "int8", 1900.0),
    ],
}


def _curve(file: Path, losses: dict[str, tuple[float, float]], *, validated: bool) -> None:
    rows: list[dict[str, float]] = []
    for step in range(10, 310, 10):
        fall = math.exp(-step / 80)
        row = {name: round(last + (first - last) * fall, 5) for name, (first, last) in losses.items()}
        rows.append({"step": step, "learning_rate": 0.001, **row})
        if validated and step % 100 == 0:
            rows.append({"step": step, "validation": round(0.7 - 0.4 * fall, 5)})
    write_curve(file, rows)


def _file(folder: Path, name: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return folder / name
