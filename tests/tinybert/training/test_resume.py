"""A resume point comes back as it was saved, or not at all."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tinybert.training import resume
from tinybert.training.progress import Progress


def saved(folder: Path, *steps: int) -> Path:
    for step in steps:
        tensors = {"x": torch.arange(50.0) + step, "scalar": torch.tensor(1.0)}
        resume.save(folder, tensors=tensors, values={"step": step})
    return folder / resume.LAST


def loaded_step(folder: Path, progress: Progress | None = None) -> int | None:
    """The step of the point that is loaded, whose tensors are those of the step."""
    point = resume.load(folder, progress=progress)
    if point is None:
        return None
    tensors, values = point
    assert torch.equal(tensors["x"], torch.arange(50.0) + values["step"])
    return values["step"]


def test_tensors_and_values_come_back(tmp_path: Path):
    tensors = {"model/a": torch.randn(3, 5), "step": torch.tensor(7.0), "bfloat16": torch.randn(2).bfloat16(),
               "transposed": torch.randn(3, 4).T}  # fmt: skip
    values = {"step": 12, "curve": [{"step": 1, "loss": 0.1 + 0.2}], "scores": []}
    resume.save(tmp_path / "new/folder", tensors=tensors, values=values)
    loaded = resume.load(tmp_path / "new/folder")
    assert loaded is not None
    assert loaded[1] == values
    assert loaded[0].keys() == tensors.keys()
    assert all(torch.equal(loaded[0][name], tensors[name]) for name in tensors)


def test_the_last_state_is_loaded_or_the_one_before_or_none(tmp_path: Path):
    assert resume.load(tmp_path / "missing") is None
    (tmp_path / f".{resume.LAST}.partial").write_bytes(b"half")  # killed while it wrote
    assert resume.load(tmp_path) is None
    last = saved(tmp_path, 1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [resume.PREVIOUS, resume.LAST]
    assert loaded_step(tmp_path) == 2
    last.unlink()  # killed between the two renames
    assert loaded_step(tmp_path) == 1
    for name in (resume.LAST, resume.PREVIOUS):
        (tmp_path / name).write_bytes(b"not a state")
    assert resume.load(tmp_path) is None


def test_a_full_disk_leaves_the_last_state_and_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    saved(tmp_path, 1)

    def full(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resume, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        saved(tmp_path, 2)
    assert [file.name for file in tmp_path.iterdir()] == [resume.LAST]
    assert loaded_step(tmp_path) == 1


def test_any_damaged_byte_and_any_cut_is_detected_and_the_previous_state_is_loaded(tmp_path: Path, capsys: Any):
    file = saved(tmp_path, 1, 2)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert loaded_step(tmp_path) in (1, 2), place
        file.write_bytes(whole[:place])
        assert loaded_step(tmp_path, Progress("test")) == 1
    assert f"test: {file} is damaged (" in capsys.readouterr().out
