"""Texts packed into blocks of token ids of one length: no padding, and no segment with tokens of two documents."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from transformers import BertTokenizer

from tinybert.data.tokenizer import special_id

BLOCKS_PER_CHUNK = 1024
TEXTS_PER_BATCH = 1000  # tokenized in parallel


def pack_texts(texts: Iterable[str], *, tokenizer: BertTokenizer, sequence_length: int) -> np.ndarray:
    """The texts, tokenized and packed, as one array of blocks [N, sequence_length], N 0 or more; see `pack`."""
    chunks = list(pack_stream(texts, tokenizer=tokenizer, sequence_length=sequence_length))
    return np.concatenate([np.empty((0, sequence_length), block_dtype(tokenizer)), *chunks])


def pack_stream(texts: Iterable[str], *, tokenizer: BertTokenizer, sequence_length: int) -> Iterator[np.ndarray]:
    """Tokenize a stream of texts and yield its blocks in chunks [n, sequence_length]; see `pack`."""
    remaining, encode = iter(texts), tokenizer.backend_tokenizer.encode_batch_fast
    batches = iter(lambda: list(islice(remaining, TEXTS_PER_BATCH)), [])
    ids = (encoding.ids for batch in batches for encoding in encode(batch, add_special_tokens=False))
    cls_id, sep_id = (special_id(tokenizer, name) for name in ("cls", "sep"))
    return pack(ids, sequence_length=sequence_length, cls_id=cls_id, sep_id=sep_id, dtype=block_dtype(tokenizer))


def block_dtype(tokenizer: BertTokenizer) -> np.dtype:
    """The smallest unsigned type of numpy that holds the ids of a vocabulary of this size."""
    return np.dtype(np.uint16 if len(tokenizer) < 2**16 else np.uint32)


def pack(
    documents: Iterable[Sequence[int]], *, sequence_length: int, cls_id: int, sep_id: int, dtype: np.dtype,
    minimum_segment: int = 8,
) -> Iterator[np.ndarray]:  # fmt: skip
    """Yield chunks [n, sequence_length] of token ids in `dtype`, from documents given as token ids without specials.

    A block is a row of segments `[CLS] tokens [SEP]`, each of at least `minimum_segment` ids and of one document. A
    document that does not fit into what is left of a block fills it and goes on in the next. What is lost, at a
    document's end only, is less than `2 * minimum_segment` tokens: a rest too short for a segment; the tokens that
    would leave free less than `minimum_segment` ids (the segment is shortened so that just these stay free); or the
    rest itself, where it would be shortened to less than a segment. The last block is dropped if it is not full.
    """
    assert sequence_length >= minimum_segment > 2, (sequence_length, minimum_segment)
    chunk: list[int] = []
    for document in documents:
        start = 0
        while start < len(document):
            room = sequence_length - len(chunk) % sequence_length
            rest = len(document) - start
            taken = _segment_length(rest + 2, room=room, minimum_segment=minimum_segment) - 2
            if taken <= 0:
                break
            chunk += (cls_id, *document[start : start + taken], sep_id)
            fills_block = taken + 2 == room
            start = start + taken if fills_block else len(document)
            if len(chunk) == BLOCKS_PER_CHUNK * sequence_length:
                yield np.array(chunk, dtype=dtype).reshape(-1, sequence_length)
                chunk = []
    whole = len(chunk) // sequence_length * sequence_length
    if whole:
        yield np.array(chunk[:whole], dtype=dtype).reshape(-1, sequence_length)


def _segment_length(length: int, *, room: int, minimum_segment: int) -> int:
    """How many of `length` ids to place in `room`, so that either nothing or at least a minimum segment stays free."""
    if length < minimum_segment:
        return 0
    if length >= room:
        return room
    shortened = min(length, room - minimum_segment)
    return shortened if shortened >= minimum_segment else 0


def write_blocks(file: Path, chunks: Iterable[np.ndarray], *, sequence_length: int, dtype: np.dtype) -> int:
    """Write chunks [n, sequence_length] one after the other into a .npy file, and return the number of blocks."""
    count = 0  # the header has room for the first axis to grow, so that it can be written again at the end
    with open(file, "wb") as out:
        _write_header(out, count, sequence_length, dtype)
        start = out.tell()
        for chunk in chunks:
            out.write(chunk.astype(dtype, copy=False).tobytes())
            count += len(chunk)
        out.seek(0)
        _write_header(out, count, sequence_length, dtype)
        assert out.tell() == start, "the header has grown over the first block"
    return count


def token_share(file: Path, token_id: int) -> float:
    """The share of a token among the blocks of a .npy file."""
    count, length = np.load(file, mmap_mode="r").shape
    parts = (slice(start, start + BLOCKS_PER_CHUNK) for start in range(0, count, BLOCKS_PER_CHUNK))
    # Mapped anew for each part: what was read of a mapping counts as memory of the process until it is closed.
    found = sum(int((np.load(file, mmap_mode="r")[part] == token_id).sum()) for part in parts)
    return found / (count * length)


def _write_header(out: BinaryIO, count: int, sequence_length: int, dtype: np.dtype) -> None:
    shape = (count, sequence_length)
    npy.write_array_header_1_0(out, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
