"""Outputs appear whole or not at all."""

from pathlib import Path

import pytest

from stages.pipeline.outputs import atomic_file, atomic_folder


class Broken(Exception):
    pass


def contents(folder: Path) -> dict[str, str]:
    """Every file below, also hidden ones."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_there_when_the_block_has_ended_and_not_before(tmp_path: Path):
    with atomic_file(tmp_path / "a/b.txt") as file:
        file.write_text("new")
        assert not (tmp_path / "a/b.txt").exists()
    assert contents(tmp_path) == {"a/b.txt": "new"}


def test_a_folder_is_there_when_the_block_has_ended_and_not_before(tmp_path: Path):
    with atomic_folder(tmp_path / "a") as folder:
        (folder / "b").mkdir()
        (folder / "b/c").write_text("new")
        assert not (tmp_path / "a").exists()
    assert contents(tmp_path) == {"a/b/c": "new"}


@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, SystemExit])
def test_nothing_is_there_after_an_error(tmp_path: Path, error: type[BaseException]):
    with pytest.raises(error), atomic_folder(tmp_path / "a") as folder, atomic_file(tmp_path / "b") as file:
        (folder / "half").write_text("half")
        file.write_text("half")
        raise error
    assert contents(tmp_path) == {} and list(tmp_path.iterdir()) == []


def test_an_error_leaves_what_was_there_before(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/old").write_text("old")
    with pytest.raises(Broken), atomic_folder(tmp_path / "a") as folder:
        (folder / "half").write_text("half")
        raise Broken
    assert contents(tmp_path) == {"a/old": "old"}


def test_a_folder_is_replaced_and_not_mixed_with_the_old(tmp_path: Path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "a") as folder:
            (folder / name).write_text(name)
    assert contents(tmp_path) == {"a/new": "new"}


def test_a_file_takes_the_place_of_a_folder_and_a_folder_that_of_a_file(tmp_path: Path):
    with atomic_folder(tmp_path / "a") as folder:
        (folder / "x").write_text("x")
    with atomic_file(tmp_path / "a") as file:
        file.write_text("file")
    assert contents(tmp_path) == {"a": "file"}


def test_what_a_killed_run_left_is_gone(tmp_path: Path):
    (tmp_path / ".a.partial").mkdir()
    (tmp_path / ".a.partial/half").write_text("half")
    (tmp_path / ".b.partial").write_text("half")
    with atomic_folder(tmp_path / "a") as folder, atomic_file(tmp_path / "b") as file:
        assert list(folder.iterdir()) == []
        assert not file.exists()
        file.write_text("b")
    assert contents(tmp_path) == {"b": "b"}


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path):
    """DVC can make outputs links into its cache."""
    (tmp_path / "cache").write_text("old")
    (tmp_path / "a").symlink_to(tmp_path / "cache")
    with atomic_file(tmp_path / "a") as file:
        file.write_text("new")
    assert contents(tmp_path) == {"cache": "old", "a": "new"}
    assert not (tmp_path / "a").is_symlink()
