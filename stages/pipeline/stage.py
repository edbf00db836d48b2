"""What makes a script a stage: its parameters, its lock, its resume point, and the check that nothing changed."""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel

from stages.parameters.validation import validate
from stages.pipeline import declared, dependencies, durations, launching, plan, processes
from stages.pipeline.declared import Declared
from tinybert.atomic import remove
from tinybert.errors import InputError, explain

Model = TypeVar("Model", bound=BaseModel)

STATE = Path(".state")
"""Locks, resume points and durations: ignored by git and by DVC, and safe to delete while nothing runs."""
FINISHED = "finished"
"""The file in a resume point that says so."""
ALONE = "TINYBERT_ALONE"
"""Environment variable: not empty, a stage trains no other instance along. No parameter: no result depends on it."""
UNHARMED = "no partial output remains; run `dvc repro` again when that is fixed"
SECTIONS = {"sources": "source", "students": "student"}
"""Sections with an entry for each name, and what a script calls the one that it is run for."""


@dataclass(frozen=True)
class Run:
    """What a script is told beside its parameters."""

    key: str
    """Which instance of a stage with many: `library` in `finetune_teacher@library`, `library-small` in
    `evaluate@library-small`."""
    resume: Path
    """Folder of this run's resume point. Its name is a digest of command, dependencies and parameters, so that
    another run's is never found there."""
    writes: bool = True
    """False in a process that computes along with another one, which writes the outputs."""
    others: tuple["Other", ...] = ()
    """Instances of a stage of many whose training is due as well, and whose resume points this run may fill: each
    stage then goes on from there, to the bytes that it has alone."""

    @property
    def task(self) -> str:
        return self.key.partition("-")[0]

    @property
    def student(self) -> str:
        return self.key.rpartition("-")[2]


@dataclass(frozen=True)
class Other:
    """Another instance of the stage that is running: its key, its parameters, and the folder of its resume point."""

    key: str
    parameters: Any = field(compare=False)
    resume: Path

    def set_finished(self) -> None:
        """Record that nothing is left to train, so that no third instance takes it along again."""
        (self.resume / FINISHED).touch()


def run(
    main: Callable[[Model, Run], None], model: type[Model], *, trains: bool = False, together: bool = False
) -> None:
    """Run `main` as the stage that DVC has started; one that `trains` in as many processes as the machine calls for.

    One that trains `together` is told the other instances that are due (see Run.others), unless ALONE is set.
    What a user or the machine caused ends the process with one message and exit code 1; a bug of ours keeps its
    traceback. The resume point is removed on success only.
    """
    try:
        if content := processes.received():
            _run_worker(main, model, **content)
        else:
            stage = declared.read()
            with exclusive(stage.name):
                _run_stage(main, model, stage, trains=trains, together=together)
    except InputError as error:
        _refuse(error)
    except Exception as error:  # libraries have errors of their own for the environment's; others are raised again
        if reason := explain(error):
            _refuse(InputError(f"{reason}; {UNHARMED}"))
        raise


def _refuse(error: InputError) -> NoReturn:
    if processes.received():
        processes.report(error)
        sys.exit(1)
    sys.exit(f"ERROR: {os.environ.get('DVC_STAGE', sys.argv[0])}: {error}")


@contextmanager
def exclusive(stage: str) -> Iterator[None]:
    """One writer for each output: a lock that the kernel drops when its holder dies."""
    (STATE / "locks").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(STATE / "locks" / f"{stage}.lock", blocking=False):
            yield
    except Timeout:
        raise InputError(
            f"stage {stage} is already running in another process, or is trained along by one; wait until it ends"
        ) from None


Instance = tuple[str, dict[str, Any], str]
"""What a process is told of one instance: its key, its parameters, and the folder of its resume point."""


def _run_worker(main: Callable[[Model, Run], None], model: type[Model], *, instances: list[Instance]) -> None:
    """`main` in one of several processes, which another one has started after all checks."""
    writes = processes.is_main()
    if not writes:
        sys.stdout = open(os.devnull, "w")
    _call(main, model, instances, writes=writes)
    processes.leave()


def _call(
    main: Callable[[Model, Run], None], model: type[Model], instances: Iterable[Instance], *, writes: bool = True
) -> None:
    """Call `main` for the first instance; it is told the others."""
    (key, parameters, resume), *rest = instances
    others = tuple(Other(key, model.model_validate(parameters), Path(resume)) for key, parameters, resume in rest)
    main(model.model_validate(parameters), Run(key, Path(resume), writes, others))


@dataclass(frozen=True)
class _Checked:
    """An instance whose dependencies and parameters are as they should be, and what they were then."""

    stage: Declared
    before: dependencies.Snapshot
    given: dict[str, Any]

    @property
    def resume(self) -> Path:
        return STATE / "resume" / self.stage.name / _digest(self.stage, self.before)

    @property
    def instance(self) -> Instance:
        return self.stage.key, self.given, str(self.resume)


def _check(stage: Declared, model: type[BaseModel], *, known: Mapping[Path, str] = MappingProxyType({})) -> _Checked:
    """Raises InputError where something is not as it should be. `known` are hashes that need not be computed again."""
    unknown = dependencies.snapshot(path for path in stage.dependencies if path not in known)
    before = {path: known.get(path) or unknown[path] for path in stage.dependencies}
    dependencies.require_recorded(before, stage.recorded, cache=stage.cache)
    given = _parameters(stage)
    _require_planned_code(stage, given)
    validate(model, given, section=_section(stage))
    return _Checked(stage, before, given)


def _run_stage(
    main: Callable[[Model, Run], None], model: type[Model], stage: Declared, *, trains: bool, together: bool
) -> None:
    start = time.monotonic()
    checked = _check(stage, model)
    resumed = checked.resume.exists()
    with _other_instances(checked, model) if together else nullcontext([]) as others:
        instances = [one.instance for one in (checked, *others)]
        try:
            if trains and launching.is_needed():
                launching.start({"instances": instances}, STATE / "launch" / stage.name)
            else:
                _call(main, model, instances)
        finally:
            _discard_changed(one for one in (checked, *others) if one.resume.exists())
    _require_unchanged(checked)
    shutil.rmtree(checked.resume.parent, ignore_errors=True)
    durations.record(STATE / "durations", stage.name, seconds=time.monotonic() - start, resumed=resumed)


@contextmanager
def _other_instances(first: _Checked, model: type[BaseModel]) -> Iterator[list[_Checked]]:
    """Those due that can run and are not trained yet, each locked; what is wrong with one its own stage will say."""
    found: list[_Checked] = []
    with ExitStack() as locks:
        for other in () if os.environ.get(ALONE) else declared.read_due(first.stage):
            with suppress(InputError), ExitStack() as lock:
                lock.enter_context(exclusive(other.name))
                checked = _check(other, model, known=first.before)
                if not (checked.resume / FINISHED).exists():
                    found.append(checked)
                    locks.enter_context(lock.pop_all())
        yield found


def _discard_changed(instances: Iterable[_Checked]) -> None:
    """Remove resume points of dependencies that are no longer what they were: part of the training may have read them.

    Parameters and code were read before it.
    """
    instances = list(instances)
    paths = {path for one in instances for path in one.before}
    now = {path: dependencies.content_hash(path) if path.exists() else None for path in paths}
    for one in instances:
        if any(now[path] != digest for path, digest in one.before.items()):
            shutil.rmtree(one.resume, ignore_errors=True)


def _require_unchanged(checked: _Checked) -> None:
    stage = checked.stage
    try:
        dependencies.check(checked.before)
        dependencies.check_parameters(stage.parameters, stage.read_again())
        _require_planned_code(stage, checked.given)
    except InputError:
        for output in stage.outputs:
            remove(output)
        raise


def _require_planned_code(stage: Declared, given: dict[str, Any]) -> None:
    kind = given.get("task", given.get("source", {})).get("kind")
    plan.require_unchanged_code(stage.dependencies, script=f"stages/{stage.name.partition('@')[0]}.py", kind=kind)


def _parameters(stage: Declared) -> dict[str, Any]:
    """What a script's model holds: sections, and of sections with many entries the one that the stage is run for.

    `students: {small: {...}}` becomes `student: {...}`; the numbers of a task come from the plan, as `task: {...}`.
    """
    run, given = Run(stage.key, Path()), dict(stage.parameters)
    for section, entry in SECTIONS.items():
        if stage.key and section in given:
            given[entry] = given.pop(section)[run.student if entry == "student" else stage.key]
    task = plan.task_numbers(stage.dependencies)
    return given | ({"task": task} if task else {})


def _section(stage: Declared) -> tuple[str, ...]:
    return (f"({stage.key})",) if stage.key else ()


def _digest(stage: Declared, snapshot: dependencies.Snapshot) -> str:
    content = {str(path): digest for path, digest in snapshot.items()}
    text = json.dumps([stage.command, content, stage.parameters], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
