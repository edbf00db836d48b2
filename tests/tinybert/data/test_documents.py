"""Documents on disk: read as written, and never all at once."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from tinybert.data import documents, readers
from tinybert.data.documents import Writer, read_documents
from tinybert.data.readers import read_rows

LETTERS = [chr(code) for code in range(0x4E00, 0x9000)]  # random ones do not compress


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """40 row groups of 10 documents."""
    monkeypatch.setattr(documents, "BUFFERED_CHARACTERS", 20_000)
    generator = random.Random(1)
    texts = ["".join(generator.choices(LETTERS, k=2000)) for _ in range(400)]
    with Writer(tmp_path / "train.parquet") as writer:
        for text in texts:
            writer.add(text)
    return tmp_path / "train.parquet", texts


def test_documents_come_back_in_their_order(corpus: tuple[Path, list[str]]) -> None:
    file, texts = corpus
    assert list(read_documents(file, batch_size=7)) == texts


def test_documents_that_were_read_are_released(corpus: tuple[Path, list[str]]) -> None:
    file, _ = corpus
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in read_documents(file, batch_size=10))
    assert held < file.stat().st_size / 4


def test_rows_of_any_parquet_file_that_were_read_are_released(
    corpus: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = corpus
    monkeypatch.setattr(readers, "PARQUET_BATCH", 10)
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in read_rows(file, features=None))
    assert held < file.stat().st_size / 4
