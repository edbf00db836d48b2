"""Outputs appear whole or not at all."""

from pathlib import Path

import pytest

from tinybert.atomic import atomic_file, atomic_folder


def contents(folder: Path) -> dict[str, str]:
    """Every file below, also hidden ones."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_an_output_is_there_when_the_block_has_ended_and_not_before(tmp_path: Path):
    with atomic_file(tmp_path / "a/b.txt") as file, atomic_folder(tmp_path / "c") as folder:
        file.write_text("new")
        (folder / "d").mkdir()
        (folder / "d/e").write_text("new")
        assert not (tmp_path / "a/b.txt").exists() and not (tmp_path / "c").exists()
    assert contents(tmp_path) == {"a/b.txt": "new", "c/d/e": "new"}


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: type[BaseException]):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/old").write_text("old")
    with pytest.raises(error), atomic_folder(tmp_path / "a") as folder, atomic_file(tmp_path / "b") as file:
        (folder / "half").write_text("half")
        file.write_text("half")
        raise error
    assert contents(tmp_path) == {"a/old": "old"} and [*tmp_path.iterdir()] == [tmp_path / "a"]


def test_a_folder_is_replaced_and_not_mixed_with_the_old_and_a_file_takes_its_place(tmp_path: Path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "a") as folder:
            (folder / name).write_text(name)
    assert contents(tmp_path) == {"a/new": "new"}
    with atomic_file(tmp_path / "a") as file:
        file.write_text("file")
    assert contents(tmp_path) == {"a": "file"}


def test_what_a_killed_run_left_is_removed(tmp_path: Path):
    (tmp_path / ".a.partial").mkdir()
    (tmp_path / ".a.partial/half").write_text("half")
    (tmp_path / ".b.partial").write_text("half")
    with atomic_folder(tmp_path / "a") as folder, atomic_file(tmp_path / "b") as file:
        assert list(folder.iterdir()) == []
        assert not file.exists()
        file.write_text("b")
    assert contents(tmp_path) == {"b": "b"}


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path):
    """DVC can make outputs links into its cache."""
    (tmp_path / "cache").write_text("old")
    (tmp_path / "a").symlink_to(tmp_path / "cache")
    with atomic_file(tmp_path / "a") as file:
        file.write_text("new")
    assert contents(tmp_path) == {"cache": "old", "a": "new"} and not (tmp_path / "a").is_symlink()
