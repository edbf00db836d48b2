"""Validate params.yaml as a whole before anything else runs, resolve the tasks' numbers, hash each stage's code.

In: params.yaml, the code. Out: plan/, whose files the other stages depend on; see stages/pipeline/plan.py.
"""

from pathlib import Path
from typing import Any

from pydantic import RootModel

from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from stages.pipeline import plan
from stages.pipeline.closure import Code
from stages.pipeline.stage import Run, run
from tinybert.atomic import atomic_folder
from tinybert.training.progress import log


class Parameters(RootModel[dict[str, Any]]):
    """dvc.yaml gives this stage the file as a dependency, and no parameter of its own."""


def main(p: Parameters, run: Run) -> None:
    whole, tasks = validate_whole(read_file(Path("params.yaml")))
    with atomic_folder(plan.FOLDER) as folder:
        for file, text in plan.files(whole, tasks, Code()).items():
            place = folder / file.relative_to(plan.FOLDER)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8", newline="\n")
    log(f"params.yaml is valid: {len(whole.tasks)} tasks, {len(whole.students)} students")


if __name__ == "__main__":
    run(main, Parameters)
