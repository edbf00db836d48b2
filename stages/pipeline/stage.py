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
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel

from stages.pipeline import declared, drift, durations, processes
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
    writes: bool = True
    """False in a process that computes along with another one on this machine, which writes the outputs."""


def run(main: Callable[[Model, Run], None], model: type[Model], *, trains: bool = False) -> None:
    """Run `main` as the stage that DVC has started; one that `trains` in as many processes as the machine calls for.

    What a user or the machine caused ends the process with one message and exit code 1; a bug of ours keeps its
    traceback. The resume point is removed on success only.
    """
    try:
        if content := processes.told():
            _run_along(main, model, **content)
        else:
            stage = declared.read()
            with only_writer(stage.name, folder=STATE / "locks"):
                _run_alone(main, model, stage, trains=trains)
    except InputError as error:
        _refuse(error)
    except Exception as error:  # libraries say troubles of the machine by errors of their own; others are raised again
        if trouble := explain(error):
            _refuse(InputError(trouble))
        raise


def _refuse(error: InputError) -> NoReturn:
    if processes.told():
        processes.report(error)
        sys.exit(1)
    sys.exit(f"ERROR: {os.environ.get('DVC_STAGE', sys.argv[0])}: {error}")


def _run_along(
    main: Callable[[Model, Run], None], model: type[Model], *, parameters: dict[str, Any], key: str, resume: str
) -> None:
    """`main` in one of several processes, which another one has started after all checks."""
    writes = processes.is_first_here()
    if not writes:
        sys.stdout = open(os.devnull, "w")
    main(model.model_validate(parameters), Run(key, Path(resume), writes))
    processes.leave()


def _run_alone(main: Callable[[Model, Run], None], model: type[Model], stage: Declared, *, trains: bool) -> None:
    start = time.monotonic()
    before = drift.snapshot(stage.dependencies)
    drift.require_recorded(before, stage.recorded, cache=stage.cache)
    parameters = validate(model, _flat(stage), section=_section(stage))
    resume = STATE / "resume" / stage.name / _digest(stage, before)
    resumed = resume.exists()
    if trains and processes.wanted() > 1:
        processes.start({"parameters": _flat(stage), "key": stage.key, "resume": str(resume)})
    else:
        main(parameters, Run(stage.key, resume))
    _require_unchanged(before, stage)
    shutil.rmtree(resume.parent, ignore_errors=True)
    durations.record(STATE / "durations", stage.name, seconds=time.monotonic() - start, resumed=resumed)


def _require_unchanged(before: drift.Snapshot, stage: Declared) -> None:
    try:
        drift.check(before)
        drift.check_parameters(stage.parameters, stage.read_again())
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
