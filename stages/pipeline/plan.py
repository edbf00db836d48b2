"""What `plan` writes and the other stages depend on: resolved numbers of each task, and the code of each stage.

    plan/tasks/T/{data,origin,encoding,teacher,teaching,student}.json   numbers with defaults filled in
    plan/code/STAGE.json, plan/code/STAGE/T.json          import closure: hash of the syntax tree by file

DVC hashes these files, so that exactly what depends on a changed number or line of code runs again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.pipeline.closure import Closure, Code
from tinybert.errors import InputError

if TYPE_CHECKING:
    from stages.parameters.whole import Whole

FOLDER = Path("plan")
CODE, TASKS = FOLDER / "code", FOLDER / "tasks"
KIND_INDEPENDENT = (
    "prepare_corpus",
    "initialize",
    "pack",
    "pretrain",
    "shrink",
    "task_texts",
    "cloze",
    "gather",
    "distill",
    "measure",
    "release",
    "report",
)
"""Stages whose code is the same for all tasks and students."""
KIND_SPECIFIC = ("prepare_task", "floor", "finetune_teacher", "teach", "finetune_student", "export", "evaluate")
"""Stages that import the modules of their task's kind."""


def files(whole: Whole, tasks: Mapping[str, Mapping[str, Any]], code: Code) -> dict[Path, str]:
    """The content of every file of the plan."""
    plan: dict[Path, str] = {}
    for name, parts in tasks.items():
        plan |= {TASKS / name / f"{part}.json": _text(numbers) for part, numbers in parts.items()}
    return plan | {file: _text(closure) for file, closure in _closures(whole, code)}


def _closures(whole: Whole, code: Code) -> Iterator[tuple[Path, Closure]]:
    for stage in KIND_INDEPENDENT:
        yield CODE / f"{stage}.json", code.closure(f"stages/{stage}.py")
    for name, source in whole.sources.items():
        yield CODE / f"fetch/{name}.json", code.closure("stages/fetch.py", kind=source.kind)
    for stage in KIND_SPECIFIC:
        for name, task in whole.tasks.items():
            yield CODE / f"{stage}/{name}.json", code.closure(f"stages/{stage}.py", kind=task.kind)


def task_numbers(dependencies: tuple[Path, ...]) -> dict[str, Any]:
    """What the plan's files among the dependencies of one instance say of its task."""
    parts = (file for file in dependencies if file.is_relative_to(TASKS) and file.suffix == ".json")
    return {key: value for file in parts for key, value in _read(file).items()}


def require_unchanged_code(dependencies: tuple[Path, ...], *, script: str, kind: str | None) -> None:
    """Raises InputError where the code on disk is not the code of the plan that DVC has hashed.

    Else a stage would write the outputs of new code under the hash of the old.
    """
    for file in dependencies:
        if file.is_relative_to(CODE):
            planned, now = _read(file), Code().closure(script, kind=kind)
            changed = sorted(name for name in planned | now if planned.get(name) != now.get(name))
            if changed:
                raise InputError(f"code changed since plan ran ({', '.join(changed[:5])}); run `dvc repro` again")


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        raise InputError(f"{file} does not exist; run `dvc repro`, which runs `plan` first")
    return json.loads(file.read_text(encoding="utf-8"))


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
