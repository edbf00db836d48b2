"""What makes a script a stage: its parameters, its lock, and the check that nothing changed."""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from stages.pipeline import declared, drift, durations
from stages.pipeline.declared import Declared
from stages.pipeline.errors import InputError
from stages.pipeline.locks import only_writer
from stages.pipeline.outputs import remove
from stages.pipeline.parameters import validate
from stages.pipeline.trouble import explain

Model = TypeVar("Model", bound=BaseModel)

STATE = Path(".state")
"""Locks, resume points and durations: ignored by git and by DVC, and safe to delete while nothing runs."""


@dataclass(frozen=True)
class Run:
    """What a script is told beside its parameters."""

    key: str
    """Which instance of a stage with many: `library` in `evaluate@library`."""
    resume: Path
    """Folder of this run's resume point. Its name is a digest of command, dependencies and parameters, so that
    another run's is never found there."""


def run(main: Callable[[Model, Run], None], model: type[Model]) -> None:
    """Run `main` as the stage that DVC has started.

    What a user or the machine caused ends the process with one message and exit code 1; a bug of ours keeps its
    traceback. The resume point is removed on success only.
    """
    where = os.environ.get("DVC_STAGE", sys.argv[0])
    try:
        stage = declared.read()
        with only_writer(stage.name, folder=STATE / "locks"):
            _run_alone(main, model, stage)
    except InputError as error:
        sys.exit(f"ERROR: {where}: {error}")
    except Exception as error:
        if trouble := explain(error):
            sys.exit(f"ERROR: {where}: {trouble}")
        raise


def _run_alone(main: Callable[[Model, Run], None], model: type[Model], stage: Declared) -> None:
    start = time.monotonic()
    before = drift.snapshot(stage.dependencies)
    drift.require_recorded(before, stage.recorded, cache=stage.cache)
    parameters = validate(model, _flat(stage), section=_section(stage))
    resume = STATE / "resume" / stage.name / _digest(stage, before)
    resumed = resume.exists()
    main(parameters, Run(stage.key, resume))
    _require_unchanged(before, stage)
    shutil.rmtree(resume.parent, ignore_errors=True)
    durations.record(STATE / "durations", stage.name, seconds=time.monotonic() - start, resumed=resumed)


def _require_unchanged(before: drift.Snapshot, stage: Declared) -> None:
    try:
        drift.check(before)
    except InputError:
        for output in stage.outputs:
            remove(output)
        raise


def _flat(stage: Declared) -> dict[str, Any]:
    """The parameters of one instance without its name: `tasks: {library: {...}}` becomes `task: {...}`."""
    flat = dict(stage.parameters)
    for many, one in (("sources", "source"), ("tasks", "task")):
        if stage.key and many in flat:
            flat[one] = flat.pop(many)[stage.key]
    return flat


def _section(stage: Declared) -> tuple[str, ...]:
    return (f"({stage.key})",) if stage.key else ()


def _digest(stage: Declared, dependencies: drift.Snapshot) -> str:
    content = {str(path): digest for path, digest in dependencies.items()}
    text = json.dumps([stage.command, content, stage.parameters], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
