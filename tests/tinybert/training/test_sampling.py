"""Deterministic sampling: each row once an epoch, and the same rows whenever a step is computed."""

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from tinybert.training import sampling
from tinybert.training.sampling import Mixture, block_rows, epoch_batches, epoch_order, step_blocks

LENGTHS = [(7 * n) % 31 + 2 for n in range(101)]


@pytest.mark.parametrize("batch_size", [1, 4, 100, 101, 500])
def test_an_epoch_has_every_row_once(batch_size: int):
    batches = epoch_batches(LENGTHS, batch_size=batch_size, seed=3, epoch=2)
    assert sorted(np.concatenate(batches).tolist()) == list(range(101))
    assert len(batches) == math.ceil(101 / batch_size)
    assert all(len(batch) <= batch_size for batch in batches)


@pytest.mark.parametrize(
    "order",
    [
        lambda seed, epoch: str(epoch_batches(LENGTHS, batch_size=4, seed=seed, epoch=epoch)),
        lambda seed, epoch: str(epoch_order(40, seed=seed, epoch=epoch)),
        lambda seed, step: str(block_rows(step, batch_size=50, count=50, seed=seed)),
    ],
)
def test_order_is_a_function_of_seed_and_position(order: Callable[[int, int], str]):
    assert order(3, 1234) == order(3, 1234)
    assert len({order(*position) for position in ((3, 2), (3, 1), (2, 3), (4, 2))}) == 4


def test_batches_of_a_pool_do_not_overlap_in_length():
    batches = epoch_batches(LENGTHS, batch_size=4, seed=3, epoch=0)
    ranges = sorted((min(LENGTHS[n] for n in batch), max(LENGTHS[n] for n in batch)) for batch in batches)
    assert all(high <= low for (_, high), (low, _) in zip(ranges, ranges[1:], strict=False))


def test_pools_are_sorted_each_by_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampling, "POOL", 2)
    batches = epoch_batches([1, 2, 3, 4] * 25, batch_size=5, seed=1, epoch=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(100))
    pooled = np.sort([len({n % 4 for n in batch}) for batch in batches])
    assert pooled[-1] > 1, "ten rows at a time cannot all be told apart by length"


@pytest.mark.parametrize(("count", "batch_size"), [(10, 5), (10, 4), (10, 10), (3, 7), (1, 4), (7, 3)])
def test_blocks_come_once_each_epoch_also_where_a_batch_spans_two(count: int, batch_size: int):
    rows = np.concatenate([block_rows(step, batch_size=batch_size, count=count, seed=9) for step in range(count)])
    assert len(rows) == count * batch_size
    for epoch in rows.reshape(batch_size, count):
        assert Counter(epoch.tolist()) == Counter(range(count))


def test_blocks_of_a_mixture_are_those_of_its_parts_in_fixed_shares():
    corpus, other = np.arange(40).reshape(10, 4), -1 - np.arange(12).reshape(3, 4)
    mixture = Mixture(corpus, other, share=0.3)
    assert mixture.shape == (13, 4)
    for step in range(8):
        taken = step_blocks(mixture, step, batch_size=5, seed=2)
        first, rest = (step_blocks(x, step, batch_size=n, seed=2) for x, n in ((corpus, 3), (other, 2)))
        assert np.array_equal(taken, np.concatenate([first, rest]))
    rows = np.sort(block_rows(1, batch_size=5, count=10, seed=2))
    assert np.array_equal(step_blocks(corpus, 1, batch_size=5, seed=2), corpus[rows])
    assert (step_blocks(Mixture(corpus, other, share=0.01), 0, batch_size=5, seed=2) >= 0).all()
