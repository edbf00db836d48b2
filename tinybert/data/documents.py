"""Documents on disk: a folder of parquet files with the column `text`, written and read piece by piece."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema([pa.field("text", pa.string(), nullable=False)])
REMOVED = pa.schema([
    pa.field("reason", pa.string(), nullable=False),
    *(pa.field("file", pa.string()), pa.field("row", pa.int64(), nullable=False)),
    *(pa.field("kept_file", pa.string()), pa.field("kept_row", pa.int64())),
])  # fmt: skip
"""Of documents that were left out: why, where they stand in the source (rows count from 1; no file where rows of the
whole source are counted), and the document that stayed in their place."""
SCHEMAS = {"train": SCHEMA, "heldout": SCHEMA, "removed": REMOVED}
"""Of the folders of data/corpus."""
BUFFERED_CHARACTERS, BUFFERED_ROWS = 1 << 24, 1 << 17  # then they are written as one row group


class Writer:
    """Writes rows in the order they are added, in memory that does not grow with their number."""

    def __init__(self, file: Path, schema: pa.Schema = SCHEMA) -> None:
        self._file, self._schema, self._rows, self._size = file, schema, list[tuple[Any, ...]](), 0

    def __enter__(self) -> "Writer":
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._parquet = pq.ParquetWriter(self._file, self._schema, compression="zstd")
        return self

    def add(self, text: str, *more: Any) -> None:
        """The values of a row, the first of which is the long one."""
        self._rows.append((text, *more))
        self._size += len(text)
        if self._size >= BUFFERED_CHARACTERS or len(self._rows) >= BUFFERED_ROWS:
            self._flush()

    def __exit__(self, *error: object) -> None:
        if self._rows:
            self._flush()
        self._parquet.close()

    def _flush(self) -> None:
        columns = dict(zip(self._schema.names, zip(*self._rows, strict=True), strict=True))
        self._parquet.write_table(pa.table(columns, schema=self._schema))
        self._rows, self._size = [], 0


def read_documents(folder: Path, *, batch_size: int = 1000) -> Iterator[str]:
    """The texts of all files in `folder` in their order, of which `batch_size` are in memory at once."""
    for file in sorted(folder.glob("*.parquet")):
        for batch in batches(file, batch_size=batch_size):
            yield from batch.column("text").to_pylist()


def batches(file: Path, *, batch_size: int = 1000, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a parquet file, piece by piece."""
    # Arrow's read-ahead keeps all that it has read of the file until the end.
    with pq.ParquetFile(file, pre_buffer=False) as parquet:
        yield from parquet.iter_batches(batch_size=batch_size, columns=columns)
