"""A resume point comes back as it was saved, or not at all."""

from pathlib import Path

import pytest
import torch

from tinybert.training import resume
from tinybert.training.progress import Progress


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


def test_the_last_state_is_loaded(tmp_path: Path):
    for step in (1, 2):
        resume.save(tmp_path, tensors={"x": torch.full((2,), float(step))}, values={"step": step})
    loaded = resume.load(tmp_path)
    assert loaded is not None and loaded[1] == {"step": 2} and loaded[0]["x"].tolist() == [2.0, 2.0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [resume.PREVIOUS, resume.LAST]


def test_a_full_disk_leaves_the_last_state_and_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    resume.save(tmp_path, tensors={"x": torch.ones(2)}, values={"step": 1})

    def full(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resume, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        resume.save(tmp_path, tensors={"x": torch.ones(2)}, values={"step": 2})
    assert [file.name for file in tmp_path.iterdir()] == [resume.LAST]
    loaded = resume.load(tmp_path)
    assert loaded is not None and loaded[1] == {"step": 1}


def test_where_nothing_was_saved_nothing_is_loaded(tmp_path: Path):
    assert resume.load(tmp_path) is None
    assert resume.load(tmp_path / "missing") is None


def test_a_state_half_written_when_a_run_was_killed_is_not_loaded(tmp_path: Path):
    (tmp_path / f".{resume.LAST}.partial").write_bytes(b"half")
    assert resume.load(tmp_path) is None
    resume.save(tmp_path, tensors={"x": torch.ones(1)}, values={"step": 3})
    (tmp_path / f".{resume.LAST}.partial").write_bytes(b"half")
    loaded = resume.load(tmp_path)
    assert loaded is not None and loaded[1] == {"step": 3}


def saved(folder: Path, *steps: int) -> Path:
    for step in steps:
        resume.save(
            folder, tensors={"x": torch.arange(50.0) + step, "scalar": torch.tensor(1.0)}, values={"step": step}
        )
    return folder / resume.LAST


def test_any_damaged_byte_is_detected_and_the_previous_state_is_loaded(tmp_path: Path):
    file = saved(tmp_path, 1, 2)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        loaded = resume.load(tmp_path)
        assert loaded is not None and loaded[1]["step"] in (1, 2), place
        assert torch.equal(loaded[0]["x"], torch.arange(50.0) + loaded[1]["step"]), place


def test_a_truncated_file_is_detected_at_any_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = saved(tmp_path, 1, 2)
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        loaded = resume.load(tmp_path, progress=Progress("test"))
        assert loaded is not None and loaded[1] == {"step": 1}
    assert f"test: {file} is damaged (" in capsys.readouterr().out


def test_a_kill_between_the_two_renames_leaves_the_previous_state(tmp_path: Path):
    saved(tmp_path, 1, 2).unlink()
    loaded = resume.load(tmp_path)
    assert loaded is not None and loaded[1] == {"step": 1}


def test_with_both_states_damaged_nothing_is_loaded(tmp_path: Path):
    saved(tmp_path, 1, 2)
    for name in (resume.LAST, resume.PREVIOUS):
        (tmp_path / name).write_bytes(b"not a state")
    assert resume.load(tmp_path) is None
