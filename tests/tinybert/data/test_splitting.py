"""Rows are chosen by their content alone."""

import pytest

from tinybert.data.splitting import hold_out, subsample

ROWS = [{"text": f"text {number}", "label": number % 3} for number in range(2000)]


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_the_held_out_rows_are_about_the_fraction_and_depend_on_no_other_row(fraction: float) -> None:
    remaining, held_out = hold_out(ROWS, fraction=fraction)
    assert sorted(remaining + held_out, key=ROWS.index) == ROWS
    assert abs(len(held_out) - fraction * len(ROWS)) < 4 * (fraction * (1 - fraction) * len(ROWS)) ** 0.5
    few = ROWS[::-7]
    assert hold_out(few, fraction=fraction)[1] == [row for row in few if row in held_out]
    assert hold_out([ROWS[0]] * 2, fraction=fraction) in (([ROWS[0]] * 2, []), ([], [ROWS[0]] * 2))


def test_a_sample_keeps_the_order_grows_with_its_size_and_is_not_what_is_held_out() -> None:
    samples = [subsample(ROWS, at_most=size) for size in (10, 100, 5000)]
    assert [len(sample) for sample in samples] == [10, 100, 2000]
    assert all(row in samples[1] for row in samples[0])
    assert samples[1] == [row for row in ROWS if row in samples[1]]
    assert sorted(subsample(ROWS[::-1], at_most=100), key=ROWS.index) == samples[1]
    held_out = hold_out(ROWS, fraction=0.5)[1]
    assert not any(row in held_out for row in samples[1])
