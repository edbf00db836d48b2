"""Blocks of token ids as a .npy file that is written piece by piece and read by memory mapping."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy


def write_blocks(file: Path, chunks: Iterable[np.ndarray], *, sequence_length: int, dtype: np.dtype) -> int:
    """Write chunks [n, sequence_length] after each other, and return the number of blocks.

    numpy leaves room in a header for the first axis to grow, so that the header can be written again at the end.
    """
    count = 0
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


def read_blocks(file: Path) -> np.ndarray:
    """The blocks, [N, sequence_length], memory-mapped and read-only."""
    return np.load(file, mmap_mode="r")


def _write_header(out, count: int, sequence_length: int, dtype: np.dtype) -> None:
    shape = (count, sequence_length)
    npy.write_array_header_1_0(out, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
