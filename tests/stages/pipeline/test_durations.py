"""How long stages took, as a note that is replaced by the next."""

from pathlib import Path

from stages.pipeline.durations import read, record


def test_the_last_note_of_each_stage_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "durations"
    record(folder, "pretrain", seconds=900.0, resumed=False)
    record(folder, "pretrain", seconds=12.345, resumed=True)
    record(folder, "evaluate@library", seconds=1.0, resumed=False)
    assert read(folder) == {
        "evaluate@library": {"resumed": False, "seconds": 1.0},
        "pretrain": {"resumed": True, "seconds": 12.3},
    }
    assert [file.name for file in sorted(folder.iterdir())] == ["evaluate@library.json", "pretrain.json"]


def test_where_nothing_ran_there_are_none(tmp_path: Path) -> None:
    assert read(tmp_path / "durations") == {}
