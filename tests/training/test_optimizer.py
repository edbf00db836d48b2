"""The schedule at steps picked by hand, and which weights decay."""

import pytest
from torch import nn

from stages.training.optimizer import adamw, learning_rate


@pytest.mark.parametrize(
    ("step", "wanted"), [(0, 1 / 5), (1, 2 / 5), (3, 4 / 5), (4, 1.0), (5, 5 / 6), (7, 3 / 6), (9, 1 / 6), (10, 0.0)]
)
def test_the_rate_rises_to_its_peak_and_falls_to_zero(step: int, wanted: float):
    assert learning_rate(step, steps=10, peak=3.0, warmup=0.4) == pytest.approx(3.0 * wanted)


def test_without_warm_up_the_first_step_has_the_peak():
    assert [learning_rate(step, steps=4, peak=2.0, warmup=0.0) for step in range(4)] == [2.0, 1.5, 1.0, 0.5]


def test_with_nothing_but_warm_up_the_rate_only_rises():
    assert [learning_rate(step, steps=4, peak=5.0, warmup=1.0) for step in range(4)] == [1.0, 2.0, 3.0, 4.0]


def test_no_step_has_a_rate_of_zero():
    for steps in range(1, 30):
        assert min(learning_rate(step, steps=steps, peak=1.0, warmup=0.1) for step in range(steps)) > 0


def test_matrices_decay_and_biases_norms_and_frozen_weights_do_not():
    module = nn.ModuleDict({"a": nn.Linear(3, 5), "norm": nn.LayerNorm(5), "frozen": nn.Linear(7, 2)})
    module["frozen"].requires_grad_(False)
    groups = adamw(module, weight_decay=0.3).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(5, 3)], [(5,), (5,), (5,)]]
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
