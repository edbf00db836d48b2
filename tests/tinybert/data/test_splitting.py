"""Splits drawn by content: about as large as asked for, stable, and without a text in common."""

import pytest

from tinybert.data.splitting import REST, draw_splits, subsample

TEXTS = [f"text {number}" for number in range(2000)]
ROWS = [{"text": text, "label": n % 3} for n, text in enumerate(TEXTS)]


def drawn(*groups, **shares):
    return draw_splits(groups, shares=shares)


@pytest.mark.parametrize("share", [0.1, 0.45])
def test_a_share_is_about_as_large_as_asked_for_and_depends_on_no_other_row(share):
    splits = drawn(*([text] for text in TEXTS), test=share)
    by_text = dict(zip(TEXTS, splits, strict=True))
    assert abs(splits.count("test") - share * 2000) < 4 * (share * (1 - share) * 2000) ** 0.5
    few = TEXTS[::-7]
    assert drawn(*([text] for text in few), test=share) == [by_text[text] for text in few]


def test_several_shares_are_drawn_beside_each_other_and_the_first_is_the_same_alone():
    one, two = drawn(*([text] for text in TEXTS), a=0.1), drawn(*([text] for text in TEXTS), a=0.1, b=0.2)
    assert {*two} == {"a", "b", REST}
    assert [name == "a" for name in one] == [name == "a" for name in two]
    assert abs(two.count("b") - 400) < 4 * (0.2 * 0.8 * 2000) ** 0.5


def test_rows_that_are_linked_by_keys_fall_into_one_split():
    pairs = [(f"a {n}", f"b {n}") for n in range(1000)] + [(f"b {n}", f"c {n}") for n in range(1000)]
    splits = drawn(*pairs, test=0.3)
    assert splits[:1000] == splits[1000:] and {*splits} == {"test", REST}
    assert splits == drawn(*(pair[::-1] for pair in pairs), test=0.3)  # the order of keys says nothing
    ends = drawn(*pairs, *([f"c {n}"] for n in range(1000)), test=0.3)
    assert ends[:1000] == ends[2000:]


def test_a_group_that_could_fill_a_split_stays_in_the_rest():
    alone = [[text] for text in TEXTS]
    in_chain = [(f"link {n}", f"link {n + 1}") for n in range(100)]  # 100 rows of 2100; half of a tenth is 105
    for shift in range(20):  # wherever its hash falls
        moved = [tuple(f"{shift} {key}" for key in keys) for keys in in_chain]
        assert {*drawn(*alone, *moved, test=0.05)[2000:]} == {REST}
    sides = {drawn(*alone, *[tuple(f"{n} {k}" for k in keys) for keys in in_chain], test=0.1)[-1] for n in range(60)}
    assert sides == {"test", REST}


def test_a_sample_keeps_the_order_grows_with_its_size_and_is_not_what_is_drawn():
    samples = [subsample(ROWS, at_most=size) for size in (10, 100, 5000)]
    assert [len(sample) for sample in samples] == [10, 100, 2000]
    assert {*samples[0]} < {*samples[1]} and samples[1] == sorted(samples[1])
    assert sorted(1999 - n for n in subsample(ROWS[::-1], at_most=100)) == samples[1]
