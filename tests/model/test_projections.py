"""Maps from a student's width to its teacher's."""

from pathlib import Path

import torch

from stages.model import projections

KEPT = [0, 3, 4, 7, 10]


def test_a_students_channels_land_where_they_were_cut_from():
    teacher = torch.randn(2, 3, 11)
    for one in projections.for_channels(KEPT, teacher=11, states=3):
        mapped = one(teacher[..., KEPT])
        others = [n for n in range(11) if n not in KEPT]
        assert torch.equal(mapped[..., KEPT], teacher[..., KEPT])
        assert torch.equal(mapped[..., others], torch.zeros(2, 3, 6))


def test_there_is_one_for_each_state_and_they_train_apart():
    maps = projections.for_channels(KEPT, teacher=11, states=4)
    assert len(maps) == 4
    assert len({id(weight) for weight in maps.parameters()}) == 8
    assert all(weight.requires_grad for weight in maps.parameters())


def test_maps_come_back_as_they_were_saved(tmp_path: Path):
    maps = projections.for_channels(KEPT, teacher=11, states=12)  # more than ten: "10" sorts before "2"
    for n, weight in enumerate(maps.parameters()):
        torch.nn.init.constant_(weight, n + 1.0)
    projections.save(maps, tmp_path)
    again = projections.load(tmp_path)
    assert len(again) == 12
    for one, other in zip(maps.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    x = torch.randn(4, 5)
    assert torch.equal(maps[11](x), again[11](x))
