"""All tokens are in the blocks, but for the few that the rule drops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.data import packing
from tinybert.data.packing import pack, pack_texts, write_blocks
from tinybert.data.tokenizer import build_tokenizer
from tinybert.data.wordpiece import SPECIAL_TOKENS

CLS, SEP = 1, 2
OPTIONS = {"cls_id": CLS, "sep_id": SEP, "dtype": np.dtype(np.uint16)}


def packed(documents, **options):
    chunks = list(pack(documents, **OPTIONS, **options))
    return np.concatenate(chunks) if chunks else np.zeros((0, options["sequence_length"]), np.uint16)


def numbered(lengths):
    """Documents of these lengths, in which no token occurs twice."""
    ends = np.cumsum([10, *lengths])
    return [list(range(start, end)) for start, end in zip(ends, ends[1:], strict=False)]


def cut(blocks):
    """The tokens of each segment, in order, read back one id at a time."""
    segments = []
    for token in blocks.ravel().tolist():
        if token == CLS:
            segments.append([])
        elif token != SEP:
            segments[-1].append(token)
    for column, token in [(0, CLS), (-1, SEP)]:
        assert (blocks[:, column] == token).all()
    assert np.array_equal((blocks == CLS).sum(axis=1), (blocks == SEP).sum(axis=1))
    return segments


def test_blocks_worked_by_hand():
    # length 8, segments of at least 3: five tokens leave one id free, so two go; eight tokens run into the next block
    documents = [[11, 12, 13, 14, 15], [21, 22, 23, 24, 25, 26, 27], [31, 32]]
    assert packed(documents, sequence_length=8, minimum_segment=3).tolist() == [
        [CLS, 11, 12, 13, SEP, CLS, 21, SEP],
        [CLS, 22, 23, 24, 25, 26, 27, SEP],
    ]


@pytest.mark.parametrize(
    ("length", "kept"),
    [
        (5, 0),  # a segment of 7: too short
        (6, 6),  # 8 ids, 24 stay free
        (22, 22),  # 24 ids, 8 stay free
        (23, 22),  # 25 ids would leave 7 free
        (29, 22),  # 31 ids would leave 1 free
        (30, 30),  # exactly full
        (31, 30),  # one token is left over, too short for the next block
        (36, 36),  # six are left over, just enough
    ],
)
def test_a_document_keeps_the_tokens_of_the_rule(length, kept):
    filler = list(range(1000, 1200))
    blocks = packed([*numbered([length]), filler], sequence_length=32, minimum_segment=8)
    assert [token for tokens in cut(blocks) for token in tokens if token < 1000] == list(range(10, 10 + kept))


@settings(deadline=None, max_examples=200, derandomize=True, database=None)
@given(
    lengths=st.lists(st.integers(0, 60), max_size=60),
    sequence_length=st.integers(8, 40),
    minimum_segment=st.integers(3, 8),
)
def test_every_token_is_in_one_block_or_lost_at_its_documents_end(lengths, sequence_length, minimum_segment):
    documents = numbered(lengths)
    closing = list(range(60_000, 60_000 + 3 * sequence_length))  # so that the dropped last block is of this document
    blocks = packed([*documents, closing], sequence_length=sequence_length, minimum_segment=minimum_segment)
    segments = cut(blocks)
    assert all(len(tokens) + 2 >= minimum_segment for tokens in segments)
    kept = [token for tokens in segments for token in tokens if token < 60_000]
    assert kept == sorted(kept)
    for document in documents:
        tokens = [token for tokens in segments if set(tokens) & set(document) for token in tokens]
        assert tokens == document[: len(tokens)], "a segment is of one document, and only an end is lost"
        assert len(document) - len(tokens) < 2 * minimum_segment
    assert blocks.size == sum(len(tokens) + 2 for tokens in segments)


def test_chunks_do_not_show_in_the_blocks_nor_in_their_file(tmp_path, monkeypatch):
    documents = numbered(np.random.default_rng(0).integers(1, 90, 100).tolist())
    whole = packed(documents, sequence_length=16)
    monkeypatch.setattr(packing, "BLOCKS_PER_CHUNK", 3)
    chunks = list(pack(documents, **OPTIONS, sequence_length=16))
    assert {len(chunk) for chunk in chunks[:-1]} == {3}
    count = write_blocks(tmp_path / "a.npy", chunks, sequence_length=16, dtype=whole.dtype)
    for blocks in (np.concatenate(chunks), np.load(tmp_path / "a.npy", mmap_mode="r")):
        assert np.array_equal(blocks, whole) and blocks.dtype == np.uint16 and count == len(whole)


def test_documents_are_read_only_as_far_as_the_block_needs(monkeypatch):
    monkeypatch.setattr(packing, "BLOCKS_PER_CHUNK", 1)
    documents = iter([list(range(10, 24))] * 100)
    next(pack(documents, **OPTIONS, sequence_length=16))
    assert len(list(documents)) == 99


def test_the_share_of_a_token_is_counted_over_all_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "BLOCKS_PER_CHUNK", 2)
    np.save(tmp_path / "a.npy", np.array([[1, 7], [7, 7], [1, 2]], np.uint16))
    assert packing.token_share(tmp_path / "a.npy", 7) == 0.5


def test_texts_are_tokenized_and_packed_whatever_the_size_of_a_batch(monkeypatch):
    tokenizer = build_tokenizer([*SPECIAL_TOKENS, "a", "b", "##b"], lowercase=True, max_length=64)
    texts = ["A ab [MASK]", "b " * 9, "abb a"] * 30
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    expected = np.concatenate(list(pack(ids, cls_id=2, sep_id=3, dtype=np.dtype(np.uint16), sequence_length=8)))
    monkeypatch.setattr(packing, "TEXTS_PER_BATCH", 7)
    blocks = pack_texts(texts, tokenizer=tokenizer, sequence_length=8)
    assert np.array_equal(blocks, expected) and blocks.dtype == np.uint16 and len(blocks) > 20
    assert pack_texts(["a"], tokenizer=tokenizer, sequence_length=8).shape == (0, 8)
