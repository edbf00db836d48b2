"""A dependency that changes while a stage runs is noticed; one that is only touched is not."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.pipeline.dependencies import check, content_hash, require_recorded, snapshot
from tinybert.errors import InputError


@pytest.fixture
def dependencies(tmp_path: Path) -> list[Path]:
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "folder/deep/a").write_text("a")
    (tmp_path / "folder/b").write_text("b")
    (tmp_path / "file").write_text("content")
    return [tmp_path / "file", tmp_path / "folder"]


def test_a_dependency_that_is_only_touched_has_not_changed(dependencies: list[Path]):
    before = snapshot(dependencies)
    os.utime(dependencies[0], (1, 1))
    (dependencies[1] / "b").write_text("b")
    (dependencies[1] / "__pycache__").mkdir()
    (dependencies[1] / "__pycache__/x.pyc").write_text("compiled")
    check(before)


def swap(folder: Path) -> None:
    (folder / "deep/a").write_text("b")
    (folder / "b").write_text("a")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda folder: (folder.parent / "file").write_text("other"), ["file"]),
        (lambda folder: (folder / "deep/a").write_text("c"), ["folder"]),
        (lambda folder: (folder / "c").touch(), ["folder"]),
        (lambda folder: (folder / "b").unlink(), ["folder"]),
        (lambda folder: (folder / "b").rename(folder / "c"), ["folder"]),
        (swap, ["folder"]),
        (lambda folder: [(folder / "b").unlink(), (folder.parent / "file").write_text("other")], ["file", "folder"]),
    ],
    ids=["file", "content", "new", "gone", "renamed", "swapped", "both"],
)
def test_all_dependencies_that_changed_are_named(
    dependencies: list[Path], change: Callable[[Path], object], names: list[str]
):
    before = snapshot(dependencies)
    change(dependencies[1])
    with pytest.raises(InputError) as caught:
        check(before)
    message, _, rest = str(caught.value).partition(" changed while the stage was running")
    assert message == ", ".join(str(path) for path in dependencies if path.name in names)
    assert rest.endswith("run `dvc repro` again")


def test_a_dependency_that_differs_from_the_recorded_one_is_named_with_its_objects(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("a")
    (folder / "b").write_text("b")
    recorded = {folder: content_hash(folder), tmp_path / "elsewhere": "0" * 32}
    require_recorded(snapshot([folder]), recorded, cache=tmp_path)
    listing = tmp_path / recorded[folder][:2] / recorded[folder][2:]
    listing.parent.mkdir()
    digests = {name: hashlib.md5(name.encode()).hexdigest() for name in "ab"}
    listing.write_text(json.dumps([{"md5": digest, "relpath": name} for name, digest in digests.items()]))
    (folder / "b").write_text("c")
    with pytest.raises(InputError) as caught:
        require_recorded(snapshot([folder]), recorded, cache=tmp_path)
    damaged = tmp_path / digests["b"][:2] / digests["b"][2:]
    assert str(caught.value).endswith(f"remove {folder} and {damaged}, then run `dvc repro`")
