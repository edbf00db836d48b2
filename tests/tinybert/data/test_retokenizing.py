"""Word by word, one tokenization becomes exactly the other, and both agree on where words end."""

import random

import numpy as np
import pytest
from transformers import BertTokenizer

from tinybert.data.retokenizing import Retokenizer
from tinybert.data.tokenizer import build_tokenizer
from tinybert.pruning.vocabulary import reduce_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [f"{mark}{letter}" for mark in ("", "##") for letter in "abc"]
PIECES = ["ab", "abc", "##bc", "##ca", "##abc", "bca", "##aa", "aab", "##b##"]
SOURCE = build_tokenizer([*SPECIAL, *LETTERS, *PIECES], lowercase=True, max_length=64)
KEPT = [n for piece, n in SOURCE.get_vocab().items() if piece not in ("abc", "##abc", "##ca", "bca")]
TARGET = reduce_tokenizer(SOURCE, sorted(KEPT))


def texts() -> list[str]:
    drawn = random.Random(1)
    return [" ".join("".join(drawn.choices("abcx", k=drawn.randint(1, 9))) for _ in range(12)) for _ in range(200)]


def encoded(tokenizer: BertTokenizer, text: str) -> list[int]:
    return tokenizer.backend_tokenizer.encode(text).ids


@pytest.mark.parametrize(("source", "target"), [(SOURCE, TARGET), (TARGET, SOURCE), (SOURCE, SOURCE)])
def test_a_text_gets_the_pieces_that_the_other_tokenizer_gives_it(source: BertTokenizer, target: BertTokenizer) -> None:
    """A word with a letter of neither, x, is [UNK] on both sides."""
    retokenizer, changed = Retokenizer(source, target), 0
    for text in texts():
        ids = encoded(source, text)
        words = retokenizer(ids)
        assert words.ids == encoded(target, text)
        changed += words.ids != ids
        last = [np.bincount(index).cumsum() - 1 for index in (words.source_words, words.target_words)]
        ends = [np.array(tokenizer.backend_tokenizer.encode(text).offsets)[places, 1]
                for tokenizer, places in zip((source, target), last, strict=True)]  # fmt: skip
        assert np.array_equal(*ends)
    assert bool(changed) == (source is not target)


def test_the_rest_of_a_word_whose_start_is_elsewhere_is_kept_or_spelt() -> None:
    vocabulary, own = SOURCE.get_vocab(), TARGET.get_vocab()
    ids = [vocabulary[piece] for piece in ("##abc", "##bc", "[MASK]", "##ca", "[SEP]", "abc")]
    words = Retokenizer(SOURCE, TARGET)(ids)
    pieces = ["##a", "##b", "##c", "##bc", "[MASK]", "##c", "##a", "[SEP]", "ab", "##c"]
    assert words.ids == [own[piece] for piece in pieces]
    assert words.source_words.tolist() == [0, 0, 1, 2, 3, 4]
    assert words.target_words.tolist() == [0, 0, 0, 0, 1, 2, 2, 3, 4, 4]
