"""A task's rows on disk: one parquet file for each split, and the labels."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SPLITS = ("train", "validation", "test")
TEXTS = ("text", "text_pair", "question", "context", "words")
"""Columns of all kinds that hold what a model reads."""


def write_rows(file: Path, rows: list[dict], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file, compression="zstd")


def read_rows(folder: Path, split: str) -> list[dict]:
    return pq.read_table(folder / f"{split}.parquet").to_pylist()


def read_texts(folder: Path, split: str) -> Iterator[str]:
    """The texts of a split of any kind of task, row by row; the words of a row are joined."""
    for row in read_rows(folder, split):
        assert row.keys() & {*TEXTS}, f"{folder}: no column of {TEXTS}"
        for value in filter(None, map(row.get, TEXTS)):
            yield value if isinstance(value, str) else " ".join(value)


def write_labels(folder: Path, labels: list[str]) -> None:
    """labels.json: a list, or null for a kind without classes."""
    text = json.dumps(labels or None, ensure_ascii=False)
    (folder / "labels.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def read_labels(folder: Path) -> list[str]:
    """Empty for a kind without classes."""
    return json.loads((folder / "labels.json").read_text(encoding="utf-8")) or []
