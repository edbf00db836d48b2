"""What the students of a preset keep of their teachers: whole runs on real tasks, with the scores of the test splits.

`python -m benchmarks.finalists local --seeds 1 2 3` runs presets/local.yaml once for each seed, in a clone that stays,
and writes benchmarks/finalists.md. A seed is that of general distillation and of the students' fine-tuning; the
teachers are the same. Runs that benchmarks/finalists.jsonl has are not repeated, those of a preset that has changed
since are replaced, and an interrupted one goes on. The clone lies beside the project, since the presets name their data
by relative paths.
"""

import argparse
import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ruamel.yaml import YAML

from benchmarks.clones import ENVIRONMENT, ROOT, machine_of, preset_file, renew, run
from benchmarks.quality import read_rows, size_cells
from tinybert.atomic import atomic_file
from tinybert.data.tokenizer import load_tokenizer
from tinybert.tasks.tables import read_texts

ROWS, PAGE = (ROOT / "benchmarks" / f"finalists.{suffix}" for suffix in ("jsonl", "md"))
HEAD = """\
# What students keep of their teachers

By `python -m benchmarks.finalists PRESET`, on {machines}. Shares are those of the teacher's score on the test split; in
brackets, of what the teacher has above the baseline (the most frequent class, tag of a word, mean, or first
sentence): (student - baseline) / (teacher - baseline). Multiply-adds are those of 128 tokens; `tokens` is how many a
student reads for one of its teacher's, in the texts of the test splits. Minutes are those of all stages of a run,
teachers and all students of the preset among them, as each stage took when it last ran.
"""
Row = dict[str, Any]


def run_preset(folder: Path, preset: str, seed: int) -> None:
    """The preset in the clone, with what was computed there before."""
    renew(folder, preset=preset, changes={"distill.seed": seed, "finetuning.student.seed": seed})
    if subprocess.run(["dvc", "repro"], cwd=folder, env=ENVIRONMENT).returncode:
        raise SystemExit(f"dvc repro failed in {folder}")


def read_run(folder: Path) -> list[Row]:
    """A row for each student: the metrics of every task, its own, the teacher's and those of the floors."""
    parameters = YAML(typ="safe").load(folder / "params.yaml")
    durations = {file.stem: json.loads(file.read_text()) for file in (folder / ".state/durations").glob("*.json")}
    rows: list[Row] = []
    for student in parameters["students"]:
        rows.append({
            "student": student,
            "machine": machine_of(folder, student),
            "tokens": tokens(folder, student, parameters["tasks"]),
            "tasks": {task: _models(folder / "reports/metrics" / task, student) for task in parameters["tasks"]},
            "seconds": {stage: found["seconds"] for stage, found in sorted(durations.items())},
        })  # fmt: skip
    return rows


def tokens(folder: Path, student: str, tasks: Iterable[str]) -> float:
    """Of a student's tokenizer on the test texts, for each of its teacher's."""
    texts = [text for task in tasks for text in read_texts(folder / "data/tasks" / task, "test")]
    own, teachers = (
        sum(len(read.ids) for read in load_tokenizer(place).backend_tokenizer.encode_batch(texts))
        for place in (folder / "models/students" / student, folder / "models/teacher")
    )
    return own / teachers


def _models(folder: Path, student: str) -> dict[str, Any]:
    files = {"baseline": "baseline", "tfidf": "tfidf", "teacher": "teacher", "student": student,
             "int8": f"{student}_int8"}  # fmt: skip
    paths = {name: folder / f"{file}.json" for name, file in files.items()}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def digest(preset: str) -> str:
    """Of the values of a preset, whatever its comments say."""
    values = YAML(typ="safe").load(preset_file(preset))
    return hashlib.md5(json.dumps(values, sort_keys=True).encode()).hexdigest()


def save(rows: list[Row]) -> None:
    """Add rows to those of other runs, in place of those of the same preset and seed."""
    runs = {(row["preset"], row["seed"]) for row in rows}
    kept = [row for row in read_rows(ROWS) if (row["preset"], row["seed"]) not in runs]
    with atomic_file(ROWS) as file:
        file.write_text("".join(json.dumps(row) + "\n" for row in [*kept, *rows]))


def share(models: Mapping[str, Any], *, above: bool = False) -> float:
    """Of the teacher's test score; `above`: of what it has more than the baseline."""
    floor = models["baseline"]["score"] if above else 0.0
    return (models["student"]["score"] - floor) / (models["teacher"]["score"] - floor)


def shares_table(rows: Iterable[Row]) -> str:
    """A line for each student and seed, and where a student has several, their mean and standard deviation."""
    by_student: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_student.setdefault((row["preset"], row["student"]), []).append(row)
    names = list(dict.fromkeys(task for group in by_student.values() for row in group for task in row["tasks"]))
    head = ["preset", "student", "parameters", "multiply-adds", "tokens", "seed", *names, "mean", "minutes"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for group in by_student.values():
        lines += [_line(row, names) for row in group] + ([_mean_line(group, names)] if len(group) > 1 else [])
    return "\n".join(lines)


def _line(row: Row, names: list[str]) -> str:
    models = next(iter(row["tasks"].values()))
    teacher, student = models["teacher"], models["student"]
    plain, above = ([share(row["tasks"][task], above=above) for task in names] for above in (False, True))
    cells = [f"{a:.3f} ({b:.3f})" for a, b in zip([*plain, mean(plain)], [*above, mean(above)], strict=True)]
    sizes = [*size_cells(teacher, student), f"{row['tokens']:.2f}x"]
    minutes = f"{sum(row['seconds'].values()) / 60:.0f}"
    return f"| {' | '.join([row['preset'], row['student'], *sizes, str(row['seed']), *cells, minutes])} |"


def _mean_line(group: list[Row], names: list[str]) -> str:
    values = [[share(row["tasks"][task]) for row in group] for task in names]
    values.append([mean(column) for column in zip(*values, strict=True)])
    cells = [f"{mean(column):.3f} ± {stdev(column):.3f}" for column in values]
    return f"| {' | '.join([group[0]['preset'], group[0]['student'], '', '', '', 'mean', *cells, ''])} |"


def scores_table(row: Row) -> str:
    """The scores of one run, with the intervals of 95 % of teacher and student."""
    head = "| task | metric | baseline | TF-IDF | teacher | student | student, int8 |"
    return "\n".join([head, "|---" * 7 + "|", *(_scores(task, models) for task, models in row["tasks"].items())])


def _scores(task: str, models: Mapping[str, Any]) -> str:
    cells = [f"{models[name]['score']:.3f}" if name in models else "-" for name in ("baseline", "tfidf")]
    for model in (models["teacher"], models["student"]):
        cells.append(f"{model['score']:.3f} ({model['score_low']:.3f} to {model['score_high']:.3f})")
    int8 = f"{models['int8']['score']:.3f}" if "int8" in models else "-"
    return f"| {' | '.join([task, models['teacher']['metric'], *cells, int8])} |"


def page(rows: list[Row]) -> str:
    machines = "; ".join(dict.fromkeys(row["machine"] for row in rows))
    parts = [HEAD.format(machines=machines), shares_table(rows)]
    for row in rows:
        if row["seed"] == 1:
            parts += [f"\n## {row['preset']}.yaml, {row['student']}, seed 1\n", scores_table(row)]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--folder", type=Path, default=ROOT.parent / "tinybert-finalists")
    options = parser.parse_args()
    preset, folder = options.preset, options.folder.resolve()
    done = {(row["preset"], row["seed"], row["digest"]) for row in read_rows(ROWS)}
    for seed in (seed for seed in options.seeds if (preset, seed, digest(preset)) not in done):
        run_preset(folder, preset, seed)
        commit = run(ROOT, "git", "rev-parse", "--short", "HEAD").strip()
        about = {"preset": preset, "digest": digest(preset), "seed": seed, "commit": commit}
        save([about | row for row in read_run(folder)])
        PAGE.write_text(page(read_rows(ROWS)))


if __name__ == "__main__":
    main()
