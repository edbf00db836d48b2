"""Files in the forms that data sets are published in: each row comes out once, whole and with its own label."""

import gzip
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from tinybert.data.datasets import open_split
from tinybert.data.readers import Form
from tinybert.errors import InputError


def rows_of(path, content=None, *, split="train", labelled=False, **form):
    """The rows of a source, of which a file first gets the content."""
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(open_split(path, config=None, split=split, form=Form(**form), labelled=labelled)[0])


def refused(path, content=None, **options):
    with pytest.raises(InputError) as caught:
        rows_of(path, content, **options)
    assert len(str(caught.value)) < 500
    return str(caught.value)


CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

# a comment
Peter NNP B-NP B-PER
"""


@pytest.mark.parametrize("name", ["eng.train", "train.txt", "train.conll", "train", "eng.train.gz"])
def test_columns_of_words_and_tags_are_sentences(tmp_path, name):
    first, second = rows_of(tmp_path / name, gzip.compress(CONLL.encode()) if name.endswith(".gz") else CONLL)
    assert (first["tokens"], first["ner_tags"]) == (["EU", "rejects"], ["B-ORG", "O"])
    assert (first["1"], first["3"]) == (["NNP", "VBZ"], ["B-ORG", "O"])
    assert (second["tokens"], second["ner_tags"]) == (["Peter"], ["B-PER"])


def test_columns_may_be_tabs_in_a_tsv_and_a_word_may_be_a_number_sign(tmp_path):
    rows = rows_of(tmp_path / "train.tsv", "#\tO\n1\tO\n\nAspirin\tB-Drug\n")
    assert [row["tokens"] for row in rows] == [["#", "1"], ["Aspirin"]]


def test_a_line_with_another_number_of_columns_is_named(tmp_path):
    lines = "word O\n" * 1000 + "word\n"
    assert refused(tmp_path / "a.txt", lines).endswith(
        "line 1001: expected 2 columns, as in the lines before, got 'word'"
    )


def test_columns_that_no_tag_tells_are_told_by_their_numbers(tmp_path):
    rows = rows_of(
        tmp_path / "train.txt", "# id 1\nB-PER 1 Ann x\nO 2 ran x\n# a comment\n#tag 3 it x\n", numbered=True
    )
    assert [(row["2"], row["0"]) for row in rows] == [(["Ann", "ran", "it"], ["B-PER", "O", "#tag"])]


QUESTION = {"id": "q", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]}
IMPOSSIBLE = {"id": "r", "question": "Why?", "answers": [], "is_impossible": True}
SQUAD = {
    "version": "v2.0",
    "data": [
        {"title": "T", "paragraphs": [{"context": "Ann ran.", "qas": [QUESTION, IMPOSSIBLE]}]},
        {"title": "U", "paragraphs": [{"context": "No.", "qas": []}, {"context": "Ann.", "qas": [QUESTION]}]},
    ],
}


@pytest.mark.parametrize("indent", [None, 2])
def test_squad_is_a_row_for_each_question(tmp_path, indent):
    rows = rows_of(tmp_path / "train-v2.0.json", json.dumps(SQUAD, indent=indent))
    assert [(row["title"], row["context"], row["id"]) for row in rows] == [
        ("T", "Ann ran.", "q"), ("T", "Ann ran.", "r"), ("U", "Ann.", "q")
    ]  # fmt: skip
    assert [row["answers"] for row in rows] == [QUESTION["answers"], [], QUESTION["answers"]]


def test_rows_may_lie_under_data(tmp_path):
    assert rows_of(tmp_path / "a.json", '{"version": 1, "data": [{"a": 1}, {"a": 2}]}') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('a\tb\n"Great\tx\nfilm"\ty\n', [('"Great', "x"), ('film"', "y")]),
        ('a\tb\n"Song" is\tx\n"late\ty\n', [('"Song" is', "x"), ('"late', "y")]),
        ('a\tb\n"Fine"\tx\n', [('"Fine"', "x")]),
        ('a\tb\n"Say ""hi"""\tx\nplain\ty\n', [('Say "hi"', "x"), ("plain", "y")]),
        ('"a"\t"b"\n"Fine"\t"x"\n', [("Fine", "x")]),
        ('a\tb\n"tab\tinside"\tx\n', [("tab\tinside", "x")]),
        ('a\tb\n"two\nlines"\tx\n', [("two\nlines", "x")]),
    ],
    ids=["merge", "refused", "GLUE", "doubled", "all quoted", "tab", "line end"],
)
def test_a_tsv_has_quotes_around_values_or_in_them(tmp_path, content, rows):
    assert [tuple(row.values()) for row in rows_of(tmp_path / "train.tsv", content)] == rows


def test_what_the_quotes_of_a_tsv_mean_can_be_stated(tmp_path):
    content = 'a\tb\n"Fine"\tx\n'
    assert [rows_of(tmp_path / "a.tsv", content, quoted=quoted)[0]["a"] for quoted in (True, False)] == [
        "Fine", '"Fine"'
    ]  # fmt: skip


def test_a_table_without_a_header_has_numbers_for_columns(tmp_path):
    assert rows_of(tmp_path / "a.csv", "1,good\n0,bad\n", numbered=True) == [
        {"0": "1", "1": "good"}, {"0": "0", "1": "bad"}
    ]  # fmt: skip
    assert rows_of(tmp_path / "b.tsv", "gj04\t1\t*\tOur friends.\n", numbered=True)[0]["3"] == "Our friends."


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_of_a_csv_is_told_by_its_header(tmp_path, separator):
    assert rows_of(tmp_path / "a.csv", f"a{separator}b\n1{separator}2\n") == [{"a": "1", "b": "2"}]


def test_fasttext_lines_have_one_label_or_several(tmp_path):
    rows = rows_of(tmp_path / "train.ft", "__label__good a film\n\n__label__bad __label__long no, no\n")
    assert rows == [
        {"text": "a film", "label": "good", "labels": ["good"]},
        {"text": "no, no", "label": ["bad", "long"], "labels": ["bad", "long"]},
    ]


def test_trec_lines_have_a_coarse_and_a_fine_label(tmp_path):
    content = "DESC:manner How did serfdom develop ?\nENTY:cremat What films \xe9?\n".encode("latin-1")
    assert "line 2: byte 0xe9 is not UTF-8" in refused(tmp_path / "train_5500.label", content)
    rows = rows_of(tmp_path / "train_5500.label", encoding="latin-1")
    assert rows[0] == {"text": "How did serfdom develop ?", "label": "DESC", "fine_label": "DESC:manner"}
    assert rows[1]["text"] == "What films \xe9?"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_encoding_is_told_by_its_mark(tmp_path, encoding):
    assert rows_of(tmp_path / "a.csv", "a\n\xe9\u4e2d\n".encode(encoding)) == [{"a": "\xe9\u4e2d"}]


def test_a_bad_byte_is_named_with_its_line_and_file(tmp_path):
    packed = pa.compress(b"fine\n\xff\n", codec="zstd", asbytes=True)
    assert "a.txt.zst, line 2: byte 0xff is not UTF-8" in refused(tmp_path / "a.txt.zst", packed)
    message = refused(tmp_path / "a.txt", b"fine\n" * 50_000 + b"caf\xe9\n")
    assert message == f"{tmp_path}/a.txt, line 50001: byte 0xe9 is not UTF-8; `encoding` names another, such as latin-1"
    assert refused(tmp_path / "a.txt", encoding="ascii").endswith("line 50001: byte 0xe9 is not ascii")


WIKI = """<doc id="12" url="https://x?curid=12" title="A &amp; B">
A & B

First.
Second.

</doc>
<doc id="25" title="C">
C

</doc>
"""


def test_extracted_wikipedia_is_articles_in_files_without_a_suffix(tmp_path):
    for folder in ("AA", "AB"):
        rows_of(tmp_path / folder / "wiki_00", WIKI)
    rows = rows_of(tmp_path)
    assert [row["text"] for row in rows] == ["First.\nSecond.", ""] * 2
    assert rows[0] | {"text": ""} == {"id": "12", "url": "https://x?curid=12", "title": "A & B", "text": ""}
    assert "line 1: <doc ...> without </doc>" in refused(tmp_path / "AA/wiki_00", WIKI[:60])


def test_extracted_wikipedia_may_be_json(tmp_path):
    rows = [{"id": "12", "text": "First."}, {"id": "13", "text": "Second."}]
    assert rows_of(tmp_path / "AA/wiki_00", "".join(json.dumps(row) + "\n" for row in rows)) == rows
    assert rows_of(tmp_path) == rows


@pytest.mark.parametrize(
    ("documents", "content", "texts"),
    [
        ("auto", "one\ntwo\n", ["one", "two"]),
        ("auto", "\none\nstill\n\n\ntwo\n\n", ["one\nstill", "two"]),
        ("auto", "one\x0c\ntwo\x85\n", ["one\x0c", "two\x85"]),
        ("line", "one\n\ntwo\n", ["one", "", "two"]),
        ("blank_line", "one\ntwo\n", ["one\ntwo"]),
        ("file", "one\n\ntwo\n", ["one\n\ntwo"]),
    ],
)
def test_a_document_of_plain_text_is_a_line_or_ends_at_a_blank_one(tmp_path, documents, content, texts):
    assert [row["text"] for row in rows_of(tmp_path / "a.txt", content, documents=documents)] == texts


def test_a_folder_of_texts_for_each_class(tmp_path):
    for name, text in {"train/pos/0_9": "fine\n", "train/neg/1_1": "bad\nreally", "train/unsup/2_0": "hm"}.items():
        rows_of(tmp_path / f"{name}.txt", text)
    rows_of(tmp_path / "train/urls_pos.txt", "https://x")
    expected = [
        {"text": "bad\nreally", "label": "neg"},
        {"text": "fine", "label": "pos"},
        {"text": "hm", "label": None},
    ]
    assert rows_of(tmp_path, labelled=True) == expected
    assert rows_of(tmp_path / "train", labelled=True) == expected
    assert sorted(row["text"] for row in rows_of(tmp_path)) == ["bad", "fine", "hm", "https://x", "really"]


def test_what_datasets_saved_to_disk(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 0}, {"text": "c", "label": 1}]
    data = Dataset.from_list(rows, features=features)
    data.save_to_disk(tmp_path / "one")
    DatasetDict({"train": data.select([2, 0]), "test": data}).save_to_disk(tmp_path / "two")
    assert open_split(tmp_path / "one", config=None, split="train")[1] == features
    assert rows_of(tmp_path / "one") == rows
    assert rows_of(tmp_path / "two") == [rows[2], rows[0]] and rows_of(tmp_path / "two", split="test") == rows
    assert "has no split 'dev', nor a file of that name; it has train, test" in refused(tmp_path / "two", split="dev")
    os.truncate(next((tmp_path / "one").glob("*.arrow")), 100)
    assert "cannot be read as saved by datasets" in refused(tmp_path / "one")


@pytest.mark.parametrize("form", ["zip", "gztar"])
def test_an_archive_is_what_is_in_it(tmp_path, form):
    for split in ("train", "test"):
        rows_of(tmp_path / f"SST-2/{split}.tsv", f"sentence\tlabel\n{split}\t1\n")
    rows_of(tmp_path / "one/train.csv", "a\n1\n")
    whole = Path(shutil.make_archive(str(tmp_path / "packed"), form, tmp_path, "SST-2"))
    single = Path(shutil.make_archive(str(tmp_path / "file"), form, tmp_path / "one"))
    assert [rows_of(whole, split=split)[0]["sentence"] for split in ("train", "test")] == ["train", "test"]
    assert rows_of(single) == [{"a": "1"}]
    assert rows_of(tmp_path, split=whole.name) == rows_of(whole)
    assert refused(whole, split="dev").startswith(f"{whole} has no split 'dev'")


def test_an_archive_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a...b.txt", "one\ntwo\n")
        archive.writestr("__MACOSX/x.txt", "no")
    rows, _ = open_split(tmp_path / "a.zip", config=None, split="train")
    assert next(rows) == {"text": "one"}
    assert [*(tmp_path / "temporary").iterdir()]
    assert [*rows] == [{"text": "two"}]
    assert [*(tmp_path / "temporary").iterdir()] == []


def test_a_broken_archive_is_refused(tmp_path):
    assert "cannot be unpacked" in refused(tmp_path / "a.zip", b"PK")
    assert "cannot be unpacked" in refused(tmp_path / "a.tar.gz", b"\x1f\x8b")
    with zipfile.ZipFile(tmp_path / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "some words " * 99)
    damaged = bytearray((tmp_path / "d.zip").read_bytes())
    damaged[40:60] = b"\xff" * 20
    assert "cannot be unpacked (" in refused(tmp_path / "d.zip", bytes(damaged))
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("../../b.txt", "outside")
    assert "its member '../../b.txt' would be written elsewhere" in refused(tmp_path / "e.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w"):
        pass
    assert "holds no file" in refused(tmp_path / "b.zip")
    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        entry = tarfile.TarInfo("../outside.txt")
        archive.addfile(entry)
    assert "cannot be unpacked (OutsideDestinationError" in refused(tmp_path / "c.tar")


def test_a_split_may_be_a_file_of_the_folder_and_no_other(tmp_path):
    rows_of(tmp_path / "data/eng.train", CONLL)
    rows_of(tmp_path / "data/eng.testb", CONLL)
    rows_of(tmp_path / "outside.txt", "no")
    assert len(rows_of(tmp_path / "data", split="eng.testb")) == 2
    assert "has no split '../outside.txt'" in refused(tmp_path / "data", split="../outside.txt")


def test_a_path_may_have_brackets(tmp_path):
    rows_of(tmp_path / "data[1]/train.csv", "a\n1\n")
    rows_of(tmp_path / "data[1]/test-[0].csv", "a\n2\n")
    rows_of(tmp_path / "data1/train.csv", "a\n3\n")
    assert rows_of(tmp_path / "data[1]") == [{"a": "1"}]
    assert rows_of(tmp_path / "data[1]", split="test") == [{"a": "2"}]


def test_a_number_is_a_class_by_its_index_also_where_names_are_numbers(tmp_path):
    features = "dataset_info:\n  features:\n  - {name: label, dtype: {class_label: {names: {'0': '1', '1': '2'}}}}"
    (tmp_path / "README.md").write_text(f"---\n{features}\n---\n")
    assert rows_of(tmp_path / "train.csv", "label\n0\n1\n") and rows_of(tmp_path) == [{"label": 0}, {"label": 1}]
    rows_of(tmp_path / "train.csv", "label\n2\n")
    assert "Class label 2 greater than configured num_classes 2" in refused(tmp_path)
