"""A smaller vocabulary keeps what its texts use, with the teacher's embeddings, and stock classes read it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForPreTraining

from tests.tiny_bert import CONFIG
from tinybert.data.tokenizer import build_tokenizer, load_tokenizer, save_tokenizer
from tinybert.errors import InputError
from tinybert.pruning.vocabulary import (
    frequencies,
    most_frequent_entries,
    reduce_embeddings,
    reduce_tokenizer,
    unknown_share,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*SPECIAL, "a", "##a", "b", "##b", "c", "##c", "ab", "##bb", "abc", "ccc"]
TOKENIZER = build_tokenizer(PIECES, lowercase=True, max_length=32)
ID = TOKENIZER.get_vocab()


def shares(**counts: int) -> np.ndarray:
    total = sum(counts.values())
    return np.array([counts.get(piece, 0) / total for piece in PIECES])


def test_the_share_of_each_entry_is_counted_over_blocks() -> None:
    blocks = np.array([[2, 5, 5, 3], [2, 7, 5, 3]], np.uint16)
    assert frequencies(blocks, vocab_size=9).tolist() == [0, 0, 2 / 8, 2 / 8, 0, 3 / 8, 0, 1 / 8, 0]
    assert not frequencies(blocks[:0], vocab_size=9).any()


def test_special_tokens_and_characters_in_use_stay_and_then_the_most_frequent() -> None:
    used = shares(ab=5, **{"##bb": 3}, abc=0, a=1)
    kept = most_frequent_entries(used, TOKENIZER, size=10)
    assert [PIECES[n] for n in kept] == [*SPECIAL, "a", "##a", "b", "##b", "ab"]
    kept = most_frequent_entries(used, TOKENIZER, size=12)
    assert [PIECES[n] for n in kept] == [*SPECIAL, "a", "##a", "b", "##b", "c", "ab", "##bb"]


@pytest.mark.parametrize(("size", "message"), [(8, "expected 9 or more"), (16, "teacher's vocabulary has 15 entries")])
def test_a_size_that_cannot_be_is_refused(size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        most_frequent_entries(shares(ab=5), TOKENIZER, size=size)


def test_a_reduced_tokenizer_is_saved_and_read_by_stock_classes(tmp_path: Path) -> None:
    reduced = reduce_tokenizer(TOKENIZER, most_frequent_entries(shares(ab=5), TOKENIZER, size=10))
    save_tokenizer(reduced, folder=tmp_path)
    for tokenizer in (load_tokenizer(tmp_path), AutoTokenizer.from_pretrained(tmp_path)):
        assert tokenizer.tokenize("ABB ab abc") == ["ab", "##b", "ab", "[UNK]"]
        assert tokenizer.model_max_length == 32 and len(tokenizer) == 10


def test_embeddings_are_the_teachers_rows_and_the_logits_its_columns(teacher: BertForPreTraining) -> None:
    kept = [0, 1, 2, 3, 4, 17, 44, 61, 98]
    reduced = reduce_embeddings(teacher, kept, pad_token_id=0).eval()
    ids = torch.tensor([[2, 17, 44, 98, 61, 3]])
    own = torch.tensor([[kept.index(n) for n in ids[0].tolist()]])
    expected = teacher(input_ids=ids).prediction_logits[..., kept]
    torch.testing.assert_close(reduced(input_ids=own).prediction_logits, expected)
    assert reduced.cls.predictions.decoder.weight is reduced.bert.embeddings.word_embeddings.weight
    assert BertConfig.from_dict(CONFIG).vocab_size == 99 and reduced.config.vocab_size == 9


def test_what_cannot_be_spelt_is_counted_as_unknown() -> None:
    reduced = reduce_tokenizer(TOKENIZER, [ID[piece] for piece in (*SPECIAL, "a", "##a", "b", "##b")])
    without = reduce_tokenizer(TOKENIZER, [ID[piece] for piece in (*SPECIAL, "a", "##a", "b")])
    assert unknown_share(shares(ab=5, a=3, b=2), TOKENIZER, without) == pytest.approx(0.5)
    assert unknown_share(shares(ab=5, abc=2, ccc=1, **{"##bb": 2}), TOKENIZER, reduced) == pytest.approx(0.3)


def test_the_unknown_share_does_not_depend_on_the_order_in_which_a_tokenizer_lists_its_vocabulary() -> None:
    random = np.random.default_rng(1)
    pieces = [*SPECIAL, *(f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh")]
    reduced = build_tokenizer([*SPECIAL, "a"], lowercase=True, max_length=32)
    frequencies_V = random.dirichlet(np.ones(len(pieces)))
    tokenizers = [build_tokenizer(pieces, lowercase=True, max_length=32) for _ in range(20)]
    assert len({unknown_share(frequencies_V, tokenizer, reduced) for tokenizer in tokenizers}) == 1
