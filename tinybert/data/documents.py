"""Documents on disk: one parquet file with the column `text`, written and read piece by piece."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema([pa.field("text", pa.string(), nullable=False)])
BUFFERED_CHARACTERS = 1 << 24  # then they are written as one row group


class Writer:
    """Writes documents in the order they are added, in memory that does not grow with their number."""

    def __init__(self, file: Path) -> None:
        self._file, self._texts, self._size = file, list[str](), 0

    def __enter__(self) -> "Writer":
        self._parquet = pq.ParquetWriter(self._file, SCHEMA, compression="zstd")
        return self

    def add(self, text: str) -> None:
        self._texts.append(text)
        self._size += len(text)
        if self._size >= BUFFERED_CHARACTERS:
            self._flush()

    def __exit__(self, *error: object) -> None:
        if self._texts:
            self._flush()
        self._parquet.close()

    def _flush(self) -> None:
        self._parquet.write_table(pa.table({"text": self._texts}, schema=SCHEMA))
        self._texts, self._size = [], 0


def read_documents(file: Path, *, batch_size: int = 1000) -> Iterator[str]:
    """The texts of `file` in their order, of which `batch_size` are in memory at once."""
    # Arrow's read-ahead keeps all that it has read of the file until the end.
    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        for batch in parquet.iter_batches(batch_size=batch_size):
            yield from batch.column("text").to_pylist()
