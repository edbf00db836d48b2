"""A dependency that changes while a stage runs is noticed; one that is only touched is not."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from stages.pipeline.dependencies import Snapshot, check, content_hash, require_recorded, snapshot
from tinybert.errors import InputError


@pytest.fixture
def dependencies(tmp_path: Path) -> list[Path]:
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "folder/deep/a").write_text("a")
    (tmp_path / "folder/b").write_text("b")
    (tmp_path / "file").write_text("content")
    return [tmp_path / "file", tmp_path / "folder"]


def changed(before: Snapshot) -> str:
    with pytest.raises(InputError) as caught:
        check(before)
    message, _, rest = str(caught.value).partition(" changed while the stage was running")
    assert rest.endswith("run `dvc repro` again")
    return message


def test_what_stays_or_is_only_touched_is_no_change(dependencies: list[Path]):
    before = snapshot(dependencies)
    os.utime(dependencies[0], (1, 1))
    (dependencies[1] / "b").write_text("b")
    (dependencies[1] / "__pycache__").mkdir()
    (dependencies[1] / "__pycache__/x.pyc").write_text("compiled")
    check(before)


def test_a_file_that_changes_is_named(dependencies: list[Path]):
    before = snapshot(dependencies)
    dependencies[0].write_text("other")
    assert changed(before) == str(dependencies[0])


@pytest.mark.parametrize("change", ["content", "new", "gone", "renamed", "swapped"])
def test_a_folder_that_changes_is_named(dependencies: list[Path], change: str):
    before = snapshot(dependencies)
    folder = dependencies[1]
    match change:
        case "content":
            (folder / "deep/a").write_text("c")
        case "new":
            (folder / "c").touch()
        case "gone":
            (folder / "b").unlink()
        case "renamed":
            (folder / "b").rename(folder / "c")
        case "swapped":
            (folder / "deep/a").write_text("b")
            (folder / "b").write_text("a")
    assert changed(before) == str(folder)


def test_all_that_changed_is_named(dependencies: list[Path]):
    before = snapshot(dependencies)
    dependencies[0].write_text("other")
    (dependencies[1] / "b").write_text("other")
    assert changed(before) == f"{dependencies[0]}, {dependencies[1]}"


def test_a_dependency_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=f"^{tmp_path}/x does not exist; this stage depends on it$"):
        snapshot([tmp_path / "x"])


def test_a_dependency_that_is_not_what_was_recorded_is_named_with_its_objects(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("a")
    (folder / "b").write_text("b")
    recorded = content_hash(folder)
    require_recorded(snapshot([folder]), {folder: recorded}, cache=tmp_path)
    listing = tmp_path / recorded[:2] / recorded[2:]
    listing.parent.mkdir()
    digests = {name: hashlib.md5(name.encode()).hexdigest() for name in "ab"}
    listing.write_text(json.dumps([{"md5": digest, "relpath": name} for name, digest in digests.items()]))
    (folder / "b").write_text("c")
    with pytest.raises(InputError) as caught:
        require_recorded(snapshot([folder]), {folder: recorded}, cache=tmp_path)
    object_ = tmp_path / digests["b"][:2] / digests["b"][2:]
    assert str(caught.value).endswith(f"remove {folder} and {object_}, then run `dvc repro`")


def test_what_dvc_has_not_recorded_is_not_compared(dependencies: list[Path], tmp_path: Path):
    require_recorded(snapshot(dependencies), {tmp_path / "elsewhere": "0" * 32}, cache=tmp_path)
