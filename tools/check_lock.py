"""Check without data, as in continuous integration, that dvc.lock fits the code, params.yaml and itself.

`dvc status` needs the data, and `dvc repro --dry --allow-missing` has no verdict in its exit code. Here a missing file
counts as what its stage has recorded, and a present one is hashed. The plan is computed in memory, so that an edited
comment is no misfit. Not checked: whether a stage that reads a part of another's output folder has read the part that
is recorded now. Of a folder that holds output folders of other stages, size and number of files are compared.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from stages.pipeline import plan
from stages.pipeline.closure import Code
from tinybert.errors import InputError
from tools.merge_lock import FILE, load

Recorded = dict[str, str]
"""What dvc.lock and .dvc files say of outputs: md5 by path."""


def main() -> None:
    try:
        with Repo() as repo:
            lines = [f"  {line}" for line in misfits(repo)]
    except (DvcException, InputError) as error:
        sys.exit(f"ERROR: {error}")
    if lines:
        sys.exit("\n".join(["dvc.lock does not fit; run `dvc repro --pull --allow-missing` and commit it:", *lines]))
    print("dvc.lock fits the code and params.yaml")


def misfits(repo: Repo) -> Iterator[str]:
    """A line for each difference of a stage from its entry, and for each entry without a stage."""
    entries = load(FILE)["stages"]
    stages = {str(stage.name): stage for stage in repo.index.stages if isinstance(stage, PipelineStage)}
    planned = _planned() if "plan" in stages else {}
    outputs = [out for stage in repo.index.stages for out in stage.outs]
    recorded = {out.fs_path: str(out.hash_info.value) for out in outputs if out.hash_info} | planned
    for name, stage in stages.items():
        for problem in _problems(stage, entries[name], recorded, outputs) if name in entries else ["has never run"]:
            yield f"{name}: {problem}"
    for name in entries.keys() - stages.keys():
        yield f"{name}: is in dvc.lock but not in dvc.yaml; `python -m tools.tidy` removes it"


def _planned() -> Recorded:
    """What `plan` would write now: md5 by path, of files and of the folders that other stages read."""
    files = plan.files(*validate_whole(read_file(Path("params.yaml"))), Code())
    hashes = {str(file.resolve()): hashlib.md5(text.encode()).hexdigest() for file, text in files.items()}
    folders = [str(folder.resolve()) for folder in (plan.FOLDER, plan.TASKS)]
    return hashes | {folder: str(_folder_of_outputs(folder, hashes)) for folder in folders}


def _problems(stage: PipelineStage, entry: dict[str, Any], recorded: Recorded, outputs: list[Output]) -> Iterator[str]:
    if stage.cmd_changed:
        yield "its command changed"
    yield from _not_declared(stage, entry)
    if stage.name == "plan":
        (out,) = stage.outs
        if not out.hash_info or str(out.hash_info.value) != recorded[out.fs_path]:
            yield "it would write something else"
        return
    for dependency in stage.deps:
        if isinstance(dependency, ParamsDependency):
            yield from _parameters(dependency)
        elif (problem := _differs(dependency, recorded, outputs)) is not None:
            yield f"{dependency} {problem}"
    for out in stage.outs:
        if not out.hash_info:
            yield f"{out} is not recorded"
        elif not out.use_cache and out.workspace_status():
            yield f"{out} is not what the stage wrote"


def _parameters(dependency: ParamsDependency) -> list[str]:
    changes: str | dict[str, str] = dependency.status().get(str(dependency), {})
    if isinstance(changes, str):
        return [f"{dependency} is {changes}"]
    return [f"parameter {key} is {change}" for key, change in changes.items()]


def _not_declared(stage: PipelineStage, entry: dict[str, Any]) -> Iterator[str]:
    """What the entry has and dvc.yaml no longer names; DVC itself overlooks it."""
    paths = {dep.def_path for dep in stage.deps} | {out.def_path for out in stage.outs}
    keys = {key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params}
    recorded = [item["path"] for item in [*entry.get("deps", []), *entry.get("outs", [])] if item["path"] not in paths]
    recorded += [f"parameter {key}" for values in entry.get("params", {}).values() for key in values if key not in keys]
    yield from (f"{name} is recorded and not declared any more" for name in recorded)


def _differs(dependency: Output, recorded: Recorded, outputs: list[Output]) -> str | None:
    """How a file or folder that a stage read differs from the current one, or from what its stage has recorded."""
    if not dependency.hash_info:
        return "is not recorded"
    parts = [out for out in outputs if PurePath(dependency.fs_path) in PurePath(out.fs_path).parents]
    if any(out.hash_info and str(out.hash_info.value).endswith(".dir") for out in parts):
        return _differs_in_size(dependency, parts)
    expected = recorded.get(dependency.fs_path) or _folder_of_outputs(dependency.fs_path, recorded)
    if expected is not None:
        changed = expected != str(dependency.hash_info.value)
        return "is not what was read: its stage has written it again" if changed else None
    if any(PurePath(path) in PurePath(dependency.fs_path).parents for path in recorded):
        return None
    return {"modified": "changed", "deleted": "is missing"}.get(dependency.workspace_status().get(str(dependency), ""))


def _differs_in_size(folder: Output, parts: list[Output]) -> str | None:
    """Whether what a stage read of a folder has another size, or other files, than its parts have now."""
    sizes = [sum(numbers) for numbers in zip(*map(_size, parts), strict=True)]
    return None if sizes == _size(folder) else "is not what was read: its stages have written it again"


def _size(out: Output) -> list[int]:
    """Bytes and files, as recorded."""
    meta = out.meta or Meta()
    return [meta.size or 0, meta.nfiles or 1]


def _folder_of_outputs(folder: str, recorded: Recorded) -> str | None:
    """The hash of a folder that outputs of other stages make up together; None where there is none, or a nested one."""
    files = {path: value for path, value in recorded.items() if PurePath(folder) in PurePath(path).parents}
    if not files or any(value.endswith(".dir") for value in files.values()):
        return None
    tree = Tree()
    for path, value in files.items():
        tree.add(PurePath(path).relative_to(folder).parts, Meta(), HashInfo("md5", value))
    tree.digest()
    return tree.hash_info.value if tree.hash_info else None


if __name__ == "__main__":
    main()
