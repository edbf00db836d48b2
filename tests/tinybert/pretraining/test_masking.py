"""Masking: shares within the bounds of the binomial distribution, and properties of every token."""

import itertools
import math

import pytest
import torch

from tinybert.pretraining.masking import Masking, attention_mask, mask_tokens, positions, segments

PAD, UNK, CLS, SEP, MASK = range(5)
VOCAB_SIZE = 37
CONTINUES = torch.arange(VOCAB_SIZE) >= 20


def blocks(*, seed=0, shape=(600, 51)):
    """Random words of one to several pieces in one segment a row."""
    chance = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCAB_SIZE, shape, generator=chance)
    ids[:, 0], ids[:, 29], ids[:, 30], ids[:, -1] = CLS, SEP, CLS, SEP
    return ids


def masked(ids, *, seed=1, probability=0.15, whole_words=False):
    masking = Masking(probability, whole_words, CONTINUES, [PAD, UNK, CLS, SEP, MASK], CLS, MASK)
    return mask_tokens(ids, masking=masking, generator=torch.Generator().manual_seed(seed))


def words_of(ids):
    """Flat positions of each word, found token by token."""
    words = []
    for at, token in enumerate(ids.flatten().tolist()):
        previous = ids.flatten()[at - 1].item()
        if token >= 20 and at % ids.shape[1] != 0 and previous > MASK:
            words[-1].append(at)
        elif token > MASK:
            words.append([at])
    return words


def assert_share(count, total, share):
    """Within four standard deviations of the binomial distribution."""
    assert abs(count / total - share) < 4 * math.sqrt(share * (1 - share) / total)


@pytest.mark.parametrize("whole_words", [False, True])
def test_targets_are_the_originals_and_nothing_else_changes(whole_words):
    ids = blocks()
    inputs, chosen, targets = masked(ids, whole_words=whole_words)
    assert torch.equal(ids.flatten()[chosen], targets)
    restored = inputs.flatten().clone()
    restored[chosen] = targets
    assert torch.equal(restored.view_as(ids), ids)
    assert torch.equal(ids, blocks())
    assert torch.equal(chosen, chosen.unique())


@pytest.mark.parametrize("whole_words", [False, True])
def test_special_tokens_are_never_chosen_nor_drawn_as_replacements(whole_words):
    inputs, chosen, targets = masked(blocks(), probability=1.0, whole_words=whole_words)
    assert len(chosen) == (blocks() > MASK).sum()
    assert targets.min() > MASK
    assert inputs.flatten()[chosen].min() == MASK
    assert torch.equal(inputs <= SEP, blocks() <= SEP)


@pytest.mark.parametrize("probability", [0.15, 0.4])
def test_shares_are_those_of_bert(probability):
    ids = blocks()
    inputs, chosen, targets = masked(ids, probability=probability)
    assert_share(len(chosen), (ids > MASK).sum().item(), probability)
    replacements = inputs.flatten()[chosen]
    entries = VOCAB_SIZE - 5
    assert_share((replacements == MASK).sum().item(), len(chosen), 0.8)
    assert_share((replacements == targets).sum().item(), len(chosen), 0.1 + 0.1 / entries)
    replaced = replacements[(replacements != MASK) & (replacements != targets)]
    assert_share(len(replaced), len(chosen), 0.1 * (1 - 1 / entries))
    for entry in range(5, VOCAB_SIZE):
        assert_share((replaced == entry).sum().item(), len(replaced), 1 / entries)


def test_with_whole_words_the_share_of_words_and_of_tokens_is_the_probability():
    ids = blocks()
    words = words_of(ids)
    chosen = set(masked(ids, whole_words=True)[1].tolist())
    assert_share(sum(word[0] in chosen for word in words), len(words), 0.15)
    lengths = torch.tensor([len(word) for word in words], dtype=torch.float64)
    spread = math.sqrt(0.15 * 0.85 * lengths.square().sum().item())
    assert abs(len(chosen) - 0.15 * lengths.sum().item()) < 4 * spread


@pytest.mark.parametrize("whole_words", [False, True])
def test_whole_words_are_whole_and_else_their_pieces_are_chosen_independently(whole_words):
    ids = blocks()
    words, chosen = words_of(ids), set(masked(ids, whole_words=whole_words)[1].tolist())
    assert all(len(chosen & set(word)) in (0, len(word)) for word in words) == whole_words
    assert sum(len(word) for word in words) == (ids > MASK).sum()


@pytest.mark.parametrize("whole_words", [False, True])
def test_the_seed_alone_decides(whole_words):
    first, again, other = (masked(blocks(), seed=seed, whole_words=whole_words) for seed in (7, 7, 8))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([[CLS, 10, 21, 22, SEP, CLS, 23, 11, SEP]], [(1, 2, 3), (6,), (7,)]),
        ([[10, 21, 22], [23, 24, 11]], [(0, 1, 2), (3, 4), (5,)]),  # a word ends with its row
    ],
)
def test_maskings_worked_by_hand_are_all_sets_of_words_and_no_other(ids, words):
    draws = (masked(torch.tensor(ids), seed=seed, probability=0.5, whole_words=True) for seed in range(60))
    sets = (tuple(sum(chosen, ())) for count in range(4) for chosen in itertools.combinations(words, count))
    assert {tuple(chosen.tolist()) for _, chosen, _ in draws} == set(sets)


def test_segments_positions_and_attention_worked_by_hand():
    ids = torch.tensor([[CLS, 7, SEP, CLS, 8, 9, SEP], [CLS, 5, 6, 7, 8, 9, SEP]])
    assert segments(ids, cls_id=CLS).tolist() == [[0, 0, 0, 1, 1, 1, 1], [0] * 7]
    assert positions(ids, cls_id=CLS).tolist() == [[0, 1, 2, 0, 1, 2, 3], list(range(7))]
    mask = attention_mask(segments(ids, cls_id=CLS))
    assert mask.shape == (2, 1, 7, 7)
    first = torch.zeros(7, 7, dtype=torch.bool)
    first[:3, :3] = first[3:, 3:] = True
    assert torch.equal(mask[0, 0], first) and mask[1].all()
