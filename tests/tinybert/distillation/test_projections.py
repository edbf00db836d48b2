"""Projections from the student's width to the teacher's."""

from pathlib import Path

import torch

from tinybert.distillation import projections

KEPT = [0, 3, 4, 7, 10]


def test_the_students_channels_are_mapped_to_those_they_were_cut_from():
    teacher = torch.randn(2, 3, 11)
    for projection in projections.for_channels(KEPT, teacher=11, states=3):
        mapped = projection(teacher[..., KEPT])
        others = [n for n in range(11) if n not in KEPT]
        assert torch.equal(mapped[..., KEPT], teacher[..., KEPT])
        assert torch.equal(mapped[..., others], torch.zeros(2, 3, 6))


def test_each_state_has_a_projection_of_its_own():
    maps = projections.for_channels(KEPT, teacher=11, states=4)
    assert len(maps) == 4
    assert len({id(weight) for weight in maps.parameters()}) == 8
    assert all(weight.requires_grad for weight in maps.parameters())


def test_projections_come_back_as_they_were_saved(tmp_path: Path):
    maps = projections.for_channels(KEPT, teacher=11, states=12)  # more than ten: "10" sorts before "2"
    for n, weight in enumerate(maps.parameters()):
        torch.nn.init.constant_(weight, n + 1.0)
    projections.save(maps, tmp_path)
    again = projections.load(tmp_path)
    assert len(again) == 12
    for weight, loaded in zip(maps.parameters(), again.parameters(), strict=True):
        assert torch.equal(weight, loaded)
    x = torch.randn(4, 5)
    assert torch.equal(maps[11](x), again[11](x))
