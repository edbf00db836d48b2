"""What decides the quality of a student: rows of choices on real tasks, each run by the pipeline itself.

`python -m benchmarks.quality screening --folder ../tinybert-quality` runs the rows of benchmarks/quality.yaml in that
group which benchmarks/quality.jsonl lacks, and writes benchmarks/quality.md. A row is a preset with changes; where a
group has `students`, each of them is a row, and all are distilled by one pass of the teacher. It runs in a
clone that stays: teachers and everything else that two rows share run once, an interrupted row goes on, and a row is
added to the file when it is done. The clone lies beside the project, since the preset names its data by relative paths.
Students are compared by their best score on the validation split; of the test split nothing is read.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.clones import ENVIRONMENT, ROOT, machine_of, preset_file, renew, run
from stages.parameters.sections import Student
from tools.shape import read_teacher, sizes

PLAN, ROWS, PAGE = (ROOT / "benchmarks" / f"quality.{suffix}" for suffix in ("yaml", "jsonl", "md"))
PRESET, STUDENT = "local", "small"
"""Of a group that names none."""
LENGTH = 128
"""Tokens of the sequence whose multiply-adds are counted."""
Row = dict[str, Any]


def planned(group: str) -> dict[str, Row]:
    """The rows of a group by name: `changes` to the preset, and `tasks`. The plan's `common` changes are PRESET's."""
    plan = YAML(typ="safe").load(PLAN)
    shared = plan[group]
    changes = ({} if "preset" in shared else plan["common"]) | shared.get("changes", {})
    about = {name: shared[name] for name in ("preset", "tasks") if name in shared}
    if "students" in shared:
        shape = YAML(typ="safe").load(preset_file(PRESET))["students"][STUDENT]
        own = {name: {"students": {name: shape | (student or {})}} for name, student in shared["students"].items()}
        return {name: {"changes": changes | own[name], "student": name} | about for name in own}
    return {name: {"changes": changes | (own or {})} | about for name, own in shared["rows"].items()}


def read_rows(file: Path) -> list[Row]:
    """The rows of a .jsonl file, none where there is no file."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def waiting(group: str) -> Iterator[tuple[str, Row]]:
    """The rows that have not been run with these changes."""
    done = {(row["group"], row["name"], json.dumps(row["changes"], sort_keys=True)) for row in read_rows(ROWS)}
    for name, row in planned(group).items():
        if (group, name, json.dumps(row["changes"], sort_keys=True)) not in done:
            yield name, row


def changes_of_run(group: str, row: Row) -> dict[str, Any]:
    """Those of a row, with all students of its group."""
    students: dict[str, Any] = {}
    for other in planned(group).values() if "student" in row else ():
        students |= other["changes"]["students"]
    return row["changes"] | ({"students": students} if students else {})


def measure(folder: Path, row: Row) -> dict[str, Any]:
    """Best validation scores of teacher and student by task, and the seconds of the stages that were run."""
    student = row.get("student", STUDENT)
    targets = [f"finetune_student@{task}-{student}" for task in row["tasks"]]
    done = subprocess.run(["dvc", "repro", *targets], cwd=folder, env=ENVIRONMENT)
    if done.returncode:
        raise SystemExit(f"dvc repro failed in {folder}")
    reports = {task: folder / "reports/tasks" / task for task in row["tasks"]}
    return {
        "machine": machine_of(folder, student),
        "sizes": sizes_of(folder, student),
        "scores": {
            task: {"teacher": best(report / "teacher"), "student": best(report / "students" / student)}
            for task, report in reports.items()
        },
        "seconds": {
            stage: json.loads((folder / f".state/durations/{stage}.json").read_text())["seconds"]
            for stage in (f"distill@{student}", *targets)
        },
    }


def sizes_of(folder: Path, student: str) -> dict[str, dict[str, int]]:
    """Parameters and multiply-adds of teacher and student, each with a classifier."""
    own = Student.model_validate(YAML(typ="safe").load(folder / "params.yaml")["students"][student])
    teacher = read_teacher(folder / "models/teacher")
    return {"teacher": sizes(teacher, None, LENGTH), "student": sizes(teacher, own, LENGTH)}


def best(report: Path) -> float:
    """The score of the epoch that was kept."""
    lines = [line.split("\t") for line in (report / "curve.tsv").read_text().splitlines()]
    column = lines[0].index("validation")
    return max(float(line[column]) for line in lines[1:] if len(line) > column and line[column])


def shares(row: Row) -> dict[str, float]:
    """Of the teacher's score, by task, and their mean."""
    by_task = {task: scores["student"] / scores["teacher"] for task, scores in row["scores"].items()}
    return by_task | {"mean": sum(by_task.values()) / len(by_task)}


def table(rows: list[Row]) -> str:
    """The rows of one group, the best first; sizes where those of its students differ.

    Students that are distilled together have no time of their own in general distillation.
    """
    together = any("student" in row for row in rows)
    several = len({json.dumps(row.get("sizes")) for row in rows}) > 1 and all("sizes" in row for row in rows)
    head = ["row", *(["parameters", "multiply-adds"] if several else []), *shares(rows[0])]
    head += [*([] if together else ["distillation, s"]), "fine-tuning, s"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in sorted(rows, key=lambda row: -shares(row)["mean"]):
        first, *others = row["seconds"].values()
        cells = [row["name"], *(size_cells(**row["sizes"]) if several else [])]
        cells += [f"{value:.3f}" for value in shares(row).values()]
        cells += [f"{seconds:.0f}" for seconds in ([] if together else [first]) + [sum(others)]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def size_cells(teacher: Mapping[str, int], student: Mapping[str, int]) -> list[str]:
    """A student's parameters, and how many times fewer multiply-adds it has than its teacher."""
    fewer = teacher["multiply_adds"] / student["multiply_adds"]
    return [f"{student['parameters'] / 1e6:.2f}M", f"{fewer:.1f}x fewer"]


def page(rows: list[Row]) -> str:
    plan, parts = YAML(typ="safe").load(PLAN), ["# What decides the quality of a student\n"]
    machines = "; ".join(dict.fromkeys(row["machine"] for row in rows))
    parts.append(f"By `python -m benchmarks.quality GROUP`, on {machines}. {plan['about']}\n")
    for group in dict.fromkeys(row["group"] for row in rows):
        chosen = {row["name"]: row for row in rows if row["group"] == group}
        parts += [f"## {group}\n", f"{plan[group]['about']}\n", table(list(chosen.values())) + "\n"]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group")
    parser.add_argument("--folder", type=Path, default=ROOT.parent / "tinybert-quality")
    arguments = parser.parse_args()
    for name, row in waiting(arguments.group):
        print(f"{arguments.group}: {name}", flush=True)
        changes = changes_of_run(arguments.group, row)
        renew(arguments.folder.resolve(), preset=row.get("preset", PRESET), changes=changes)
        measured = measure(arguments.folder.resolve(), row)
        commit = run(ROOT, "git", "rev-parse", "--short", "HEAD").strip()
        with ROWS.open("a") as file:
            file.write(json.dumps({"group": arguments.group, "name": name, "commit": commit, **row, **measured}) + "\n")
        PAGE.write_text(page(read_rows(ROWS)))


if __name__ == "__main__":
    main()
