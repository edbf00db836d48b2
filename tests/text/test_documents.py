"""Documents on disk: read as written, and never all at once."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from stages.text import documents, files
from stages.text.documents import Writer, read_documents
from stages.text.files import read_rows

LETTERS = [chr(code) for code in range(0x4E00, 0x9000)]  # of two bytes of chance each, which do not compress


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """40 row groups of 10 documents."""
    monkeypatch.setattr(documents, "BUFFERED", 20_000)
    chance = random.Random(1)
    texts = ["".join(chance.choices(LETTERS, k=2000)) for _ in range(400)]
    with Writer(tmp_path / "train.parquet") as writer:
        for text in texts:
            writer.add(text)
    return tmp_path / "train.parquet", texts


def test_documents_come_back_in_their_order(corpus: tuple[Path, list[str]]) -> None:
    file, texts = corpus
    assert [text for batch in read_documents(file, at_once=7) for text in batch] == texts


def test_what_was_read_is_not_kept(corpus: tuple[Path, list[str]]) -> None:
    file, _ = corpus
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in read_documents(file, at_once=10))
    assert held < file.stat().st_size / 4


def test_what_was_read_of_a_parquet_file_of_any_kind_is_not_kept(
    corpus: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = corpus
    monkeypatch.setattr(files, "AT_ONCE", 10)
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in read_rows(file, features=None))
    assert held < file.stat().st_size / 4
