"""Documents cut into blocks of one length: no padding, and no segment with tokens of two documents."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

BLOCKS_PER_CHUNK = 1024


def pack(
    documents: Iterable[Sequence[int]],
    *,
    sequence_length: int,
    cls_id: int,
    sep_id: int,
    dtype: np.dtype,
    minimum_segment: int = 8,
) -> Iterator[np.ndarray]:
    """Yield chunks [N, sequence_length] of token ids in `dtype`, from documents given as token ids without specials.

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


def _segment_length(wanted: int, *, room: int, minimum_segment: int) -> int:
    """How many of the `wanted` ids to place in `room`, so that nothing or at least a minimum segment stays free."""
    if wanted < minimum_segment:
        return 0
    if wanted >= room:
        return room
    length = min(wanted, room - minimum_segment)
    return length if length >= minimum_segment else 0
