"""Single files: their values come out as they were written, and a broken file is refused."""

import bz2
import gzip
import json
import lzma
import os
import random
import shutil
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Features, Value

from tinybert.data import documents, readers
from tinybert.data.datasets import open_split
from tinybert.data.documents import Writer, read_documents
from tinybert.data.readers import read_rows
from tinybert.errors import InputError

ROWS = [
    {"text": "007", "label": "NA"},
    {"text": "null", "label": "1.50"},
    {"text": 'a "quoted", \u00e9\nline', "label": ""},
    {"text": "2020-01-01T00:00:00", "label": "True"},
]
CSV = 'text,label\n007,NA\nnull,1.50\n"a ""quoted"", \u00e9\nline",\n2020-01-01T00:00:00,True\n'
WRITTEN = {
    ".csv": CSV.encode(),
    ".tsv": CSV.replace(", \u00e9", "@").replace(",", "\t").replace("@", ", \u00e9").encode(),
    ".jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    ".json": json.dumps(ROWS, indent=1).encode(),
}


PACKERS = {
    "": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}  # fmt: skip


def rows_of(path, content=None):
    """The rows of a file, which first gets the content."""
    if content is not None:
        path.write_bytes(content)
    return list(read_rows(path, features=None))


def refuse(path, content, message="cannot be read to its end"):
    with pytest.raises(InputError, match=message):
        rows_of(path, content)


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("suffix", WRITTEN)
def test_values_are_read_as_they_are_written(tmp_path, suffix, packing):
    path = tmp_path / f"train{suffix}{packing}"
    assert rows_of(path, PACKERS[packing](WRITTEN[suffix])) == ROWS
    for place in (tmp_path, path):
        assert list(open_split(place, config=None, split="train")[0]) == ROWS


@pytest.mark.parametrize("packing", PACKERS)
def test_a_text_file_has_a_row_per_line(tmp_path, packing):
    rows = rows_of(tmp_path / f"corpus.txt{packing}", PACKERS[packing](b"\xef\xbb\xbfone\n\ntwo \r\nthree"))
    assert [row["text"] for row in rows] == ["one", "", "two ", "three"]


def test_values_of_json_keep_their_types_and_a_missing_one_is_none(tmp_path):
    rows = rows_of(tmp_path / "train.jsonl", b'{"a": 1, "b": [1.5, null]}\n\n{"b": true, "c": "x"}\n')
    assert rows == [{"a": 1, "b": [1.5, None]}, {"a": None, "b": True, "c": "x"}]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text\n" + "some words\n" * 100_000)
    rows = read_rows(path, features=None)
    tracemalloc.start()
    assert sum(1 for _ in rows) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.csv", b"a,a\n1,2\n", "names a column twice"),
        ("train.csv", b"a,b\n1,2\n1,2,3\n", "line 3: the row has 3 values, but the header has 2"),
        ("train.csv", b"a,b\n1,2\n1\n", "line 3: the row has 1 values, but the header has 2"),
        ("train.csv", b'a,b\n1,"2\n', "cannot be read to its end .*unexpected end of data"),
        ("train.tsv", b"a\tb\n1\t2\t3\n", "line 2: the row has 3 values, but the header has 2 .a, b.$"),
        ("train.csv", b'a,b\n1,"2" 3\n', "cannot be read to its end .*expected after"),
        (
            "train.csv",
            b"a\n\xff\n",
            "train.csv, line 2: byte 0xff is not UTF-8; `encoding` names another",
        ),
        ("train.jsonl", b'{"a": 1}\n{"a": \n', "line 2: broken JSON"),
        ("train.jsonl", b"1\n", "line 1: expected a JSON object"),
        ("train.json", b"[1]", "row 1: expected a JSON object"),
        ("train.json", b"[1", "broken JSON"),
        ("train.json", b'{\n"a": 1}\n{"a": 2}', "broken JSON: .*; expected one object a line, or one list of objects"),
        (
            "train.json",
            b'{"text": {"0": "a"}, "label": {"0": 1}}',
            "a column under each key, 'text', 'label'",
        ),
        ("train.json", b'{"data": [{"paragraphs": [{"qas": [{}]}]}]}', "article 1: expected SQuAD's paragraphs with"),
        ("train.parquet", b"PAR1", "cannot be read to its end"),
        ("train.parquet.gz", b"", "has no format that can be read"),
        ("train", b"", "has no format that can be read"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, name, content, message):
    refuse(tmp_path / name, content, message)


@pytest.mark.parametrize("packing", [packing for packing in PACKERS if packing])
def test_a_truncated_packed_file_is_refused(tmp_path, packing):
    whole = PACKERS[packing](b"text\n" + os.urandom(30_000).hex().encode() + b"\n")
    refuse(tmp_path / f"train.csv{packing}", whole[: len(whole) // 2])


def test_a_truncated_parquet_file_is_refused_also_where_its_end_is_whole(tmp_path):
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": [str(number) for number in range(5000)]}), path, use_dictionary=False)
    whole = path.read_bytes()
    refuse(path, whole[:-100])
    refuse(path, whole[:4] + b"\xff" * 2000 + whole[2004:])


@pytest.mark.parametrize(
    ("written", "declared", "message"),
    [
        ([0, 5], ClassLabel(names=["no", "yes"]), "Class label 5 greater than configured num_classes 2"),
        (["no", "maybe"], ClassLabel(names=["no", "yes"]), "Invalid string class label maybe"),
        ([[1], [2]], Value("int64"), "Couldn't cast array of type list<element: int64> to int64"),
        (["1", "x"], Value("int64"), "Failed to parse string: 'x' as a scalar of type int64"),
    ],
)
def test_a_parquet_file_that_is_not_as_declared_is_refused(tmp_path, written, declared, message):
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "label": written}), path)
    with pytest.raises(InputError) as caught:
        list(read_rows(path, features=Features({"text": Value("string"), "label": declared})))
    assert str(caught.value) == (
        f"{path}: column 'label' is not as the README declares it: {message}; expected {declared}"
    )


@pytest.fixture
def documents_on_disk(tmp_path, monkeypatch):
    """40 row groups of 10 documents."""
    monkeypatch.setattr(documents, "BUFFERED_CHARACTERS", 20_000)
    generator, letters = random.Random(1), [chr(code) for code in range(0x4E00, 0x9000)]  # which do not compress
    texts = ["".join(generator.choices(letters, k=2000)) for _ in range(400)]
    with Writer(tmp_path / "train.parquet") as writer:
        for text in texts:
            writer.add(text)
    return tmp_path / "train.parquet", texts


def test_documents_come_back_in_their_order(documents_on_disk):
    file, texts = documents_on_disk
    shutil.copy(file, file.parent / "validation.parquet")
    assert list(read_documents(file.parent, batch_size=7)) == texts + texts


def read_folder(file: Path) -> Iterator[str]:
    return read_documents(file.parent, batch_size=10)


@pytest.mark.parametrize("read", [read_folder, partial(read_rows, features=None)])
def test_documents_and_rows_that_were_read_are_released(read, documents_on_disk, monkeypatch):
    file, _ = documents_on_disk
    monkeypatch.setattr(readers, "PARQUET_BATCH", 10)
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in read(file))
    assert held < file.stat().st_size / 4
