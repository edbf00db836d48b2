"""A resume point comes back as it was saved."""

from pathlib import Path

import torch

from stages.pipeline import resume


def test_tensors_and_values_come_back(tmp_path: Path):
    tensors = {"model/a": torch.randn(3, 5), "step": torch.tensor(7.0), "half": torch.randn(2).bfloat16(),
               "turned": torch.randn(3, 4).T}  # fmt: skip
    values = {"step": 12, "curve": [{"step": 1, "loss": 0.1 + 0.2}], "scores": []}
    resume.save(tmp_path / "new/folder", tensors=tensors, values=values)
    loaded = resume.load(tmp_path / "new/folder")
    assert loaded is not None
    assert loaded[1] == values
    assert loaded[0].keys() == tensors.keys()
    assert all(torch.equal(loaded[0][name], tensors[name]) for name in tensors)


def test_the_last_state_counts(tmp_path: Path):
    for step in (1, 2):
        resume.save(tmp_path, tensors={"x": torch.full((2,), float(step))}, values={"step": step})
    loaded = resume.load(tmp_path)
    assert loaded is not None and loaded[1] == {"step": 2} and loaded[0]["x"].tolist() == [2.0, 2.0]
    assert [path.name for path in tmp_path.iterdir()] == [resume.STATE]


def test_where_nothing_was_saved_there_is_nothing(tmp_path: Path):
    assert resume.load(tmp_path) is None
    assert resume.load(tmp_path / "missing") is None


def test_a_state_half_written_when_a_run_was_killed_is_not_seen(tmp_path: Path):
    (tmp_path / f".{resume.STATE}.partial").write_bytes(b"half")
    assert resume.load(tmp_path) is None
    resume.save(tmp_path, tensors={"x": torch.ones(1)}, values={"step": 3})
    (tmp_path / f".{resume.STATE}.partial").write_bytes(b"half")
    loaded = resume.load(tmp_path)
    assert loaded is not None and loaded[1] == {"step": 3}
