"""What dvc.yaml declares for the stage that is running: its name, parameters, dependencies and outputs."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tinybert.errors import InputError


@dataclass(frozen=True)
class Declared:
    name: str
    """As DVC calls it: `shrink`, or `evaluate@library` for one instance of many."""
    command: str
    dependencies: tuple[Path, ...]
    """Files and folders, params.yaml left out."""
    outputs: tuple[Path, ...]
    recorded: dict[Path, str]
    """DVC's hashes of dependencies that are outputs of other stages or were added by `dvc add`."""
    cache: Path
    """Folder of DVC's cache objects."""
    parameters: dict[str, Any]
    """What dvc.yaml lets the stage read of params.yaml, nested as there; numbers are read as YAML 1.2 has them."""
    read_again: Callable[[], dict[str, Any]]
    """The same as params.yaml is now."""

    @property
    def key(self) -> str:
        """The instance: `library` in `evaluate@library`; empty where there is one only."""
        return self.name.partition("@")[2]


def read() -> Declared:
    """The stage that DVC has started. Raises InputError when DVC has not started this script."""
    name = os.environ.get("DVC_STAGE")
    if not name:
        raise InputError("this is a stage of a DVC pipeline; run `dvc repro`, which tells it its name and parameters")
    # Imported here: DVC takes half a second, and a second process of a training run needs none of it.
    from dvc.repo import Repo

    with Repo() as repo:
        return _declared(repo.stage.load_one(name=name), repo)


def read_due(stage: Declared) -> list[Declared]:
    """The other instances of a stage of many that a `dvc repro` of all would run too.

    Their dependencies are there, but these, their parameters or their command are not those of dvc.lock, and DVC's
    cache knows of no such run. One that cannot be told is left out.
    """
    from dvc.repo import Repo

    with Repo() as repo:
        others = repo.stage.load_all(name=stage.name.partition("@")[0])
        return [_declared(other, repo) for other in others if other.addressing != stage.name and _is_due(other, repo)]


def _is_due(stage: Any, repo: Any) -> bool:
    from dvc.exceptions import DvcException

    try:
        if not all(dep.exists for dep in stage.deps):
            return False
        if not stage.changed_stage() and stage.deps_cached() and all(out.hash_info for out in stage.outs):
            return False
        stage.save_deps()
        return repo.stage_cache._load(stage) is None  # also where its outputs are on a remote alone
    except (DvcException, OSError):
        return False


def _declared(stage: Any, repo: Any) -> Declared:
    from dvc.dependency import ParamsDependency

    files = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    dependencies = tuple(sorted(Path(os.path.relpath(dep.fs_path)) for dep in files))
    sections = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    return Declared(
        name=stage.addressing,
        command=str(stage.cmd),
        dependencies=dependencies,
        outputs=tuple(sorted(Path(os.path.relpath(out.fs_path)) for out in stage.outs)),
        recorded=_recorded(dependencies),
        cache=Path(os.path.relpath(repo.cache.local.path)),
        parameters=_parameters(sections),
        read_again=partial(_parameters, sections),
    )


def _parameters(sections: Iterable[Any]) -> dict[str, Any]:
    """Raises InputError when params.yaml cannot be read."""
    from dvc.exceptions import DvcException

    try:
        parts = [section.read_params(flatten=False) for section in sections]
    except (DvcException, UnicodeDecodeError) as error:
        raise InputError(f"params.yaml cannot be read: {error}") from None
    return {key: value for part in parts for key, value in part.items()}


def _recorded(dependencies: tuple[Path, ...]) -> dict[Path, str]:
    """From dvc.lock and from the .dvc files beside the dependencies, which DVC has found valid before the stage."""
    lock = _yaml(Path("dvc.lock"))
    outs = [out for stage in lock.get("stages", {}).values() for out in stage.get("outs", [])]
    found = {Path(out["path"]): out["md5"] for out in outs if "md5" in out}
    for path in dependencies:
        for out in _yaml(path.with_name(f"{path.name}.dvc")).get("outs", []):
            found[path.with_name(out["path"])] = out["md5"]
    return {path: found[path] for path in dependencies if path in found}


def _yaml(file: Path) -> dict[str, Any]:
    return yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader) if file.is_file() else {}
