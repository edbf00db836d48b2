"""Data folders: what is read is what is written, nothing else is touched, and an error names what is wrong."""

import io
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from tinybert.data.datasets import class_names, open_split, require_columns
from tinybert.errors import InputError

ROOT = Path(__file__).parents[3]
SPLITS = ("train", "validation", "test")


def rows_of(folder, *, config=None, split="train"):
    return list(open_split(folder, config=config, split=split)[0])


def write(folder, **files):
    """Files named with two underscores for a dot."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def card(data_files):
    return f"---\nconfigs:\n- config_name: a\n  data_files: {data_files}\n---\n"


def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return packed.getvalue()


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_splits_are_told_by_the_names_of_the_files(tmp_path):
    write(tmp_path, train__csv="a\n1\n", dev__csv="a\n2\n", test__csv="a\n3\n", train__csv__dvc="outs:\n")
    assert [rows_of(tmp_path, split=split) for split in SPLITS] == [[{"a": "1"}], [{"a": "2"}], [{"a": "3"}]]
    with pytest.raises(InputError, match="no split 'dev', nor a file of that name; it has train, validation, test$"):
        rows_of(tmp_path, split="dev")


def test_several_files_are_read_in_the_order_of_their_names_and_links_into_a_cache_followed(tmp_path):
    for folder in ("cache", "data"):
        (tmp_path / folder).mkdir()
    for number in (2, 0, 1):
        (tmp_path / f"cache/d41d8c{number}").write_text(f"{number}\n")
        (tmp_path / f"data/train-0000{number}-of-00003.txt").symlink_to(tmp_path / f"cache/d41d8c{number}")
    assert [row["text"] for row in rows_of(tmp_path / "data")] == ["0", "1", "2"]


FEATURES = Features(
    {
        "tokens": List(Value("string")),
        "tags": List(ClassLabel(names=["O", "B"])),
        "label": ClassLabel(names=["no", "yes"]),
        "answers": {"text": List(Value("string")), "start": List(Value("int32"))},
        "score": Value("float32"),
    }
)
HUB_ROWS = [
    {"tokens": ["a", "b"], "tags": [0, 1], "label": 1, "answers": {"text": ["b"], "start": [2]}, "score": 0.5},
    {"tokens": [], "tags": [], "label": None, "answers": {"text": [], "start": []}, "score": None},
]
CARD = """---
configs:
- config_name: first
  data_files:
  - split: train
    path: first/train-*.parquet
  - split: heldout
    path: first/heldout.parquet
- config_name: second
  data_files: other.parquet
---
# A card
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "first").mkdir()
    write(tmp_path, README__md=CARD)
    dataset = Dataset.from_list(HUB_ROWS, features=FEATURES)
    dataset.to_parquet(tmp_path / "first/train-0.parquet")
    dataset.select([1]).to_parquet(tmp_path / "first/heldout.parquet")
    dataset.select([0]).to_parquet(tmp_path / "other.parquet")
    return tmp_path


def test_a_repository_of_the_hub_reads_as_datasets_reads_it(repository, tmp_path_factory):
    for config, split in [("first", "train"), ("first", "heldout"), ("second", "train")]:
        cache = str(tmp_path_factory.mktemp("cache"))
        stream = datasets.load_dataset(str(repository), config, split=split, streaming=True, cache_dir=cache)
        rows, features = open_split(repository, config=config, split=split)
        assert list(rows) == list(stream)
        assert features == FEATURES
    assert rows_of(repository, config="first") == HUB_ROWS
    assert rows_of(repository / "other.parquet") == HUB_ROWS[:1]


def test_class_names_are_those_of_the_column_or_of_its_lists(repository):
    _, features = open_split(repository, config="first", split="train")
    names = [class_names(features, column=column) for column in ("label", "tags", "tokens", "absent")]
    assert names == [["no", "yes"], ["O", "B"], None, None]
    assert class_names(None, column="label") is None


DECLARED = """---
dataset_info:
  features:
  - {name: text, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': bad, '1': good}}}}
  - {name: score, dtype: float32}
  - {name: sure, dtype: bool}
configs:
- config_name: default
  sep: ";"
  data_files: train.csv
---
"""


def test_values_of_csv_are_what_the_readme_declares(tmp_path):
    write(
        tmp_path, README__md=DECLARED, train__csv="text;label;score;sure;more\n1;good;2;False;x\n;0;;True;x\n;;1.5;;x\n"
    )
    assert rows_of(tmp_path) == [
        {"text": "1", "label": 1, "score": 2.0, "sure": False},
        {"text": "", "label": 0, "score": None, "sure": True},
        {"text": "", "label": None, "score": 1.5, "sure": None},
    ]
    assert class_names(open_split(tmp_path, config=None, split="train")[1], column="label") == ["bad", "good"]


@pytest.mark.parametrize("row", ["a;great;1;True", "a;good;high;True", "a;good;1;perhaps"])
def test_a_value_that_is_not_as_declared_is_refused(tmp_path, row):
    write(tmp_path, README__md=DECLARED, train__csv=f"text;label;score;sure\n{row}\n")
    with pytest.raises(InputError, match="row 1 is not as the README declares it"):
        rows_of(tmp_path)


def test_nothing_is_written_anywhere(repository, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    before = sorted((str(path), path.stat().st_mtime_ns) for path in repository.rglob("*"))
    program = (
        "import sys, pathlib, tempfile\n"
        "from tinybert.data.datasets import open_split\n"
        "rows, _ = open_split(pathlib.Path(sys.argv[1]), config='first', split='train')\n"
        "print(len(list(rows)), 'torch' in sys.modules)\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = kept | {"HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(repository)], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "2 False\n", done.stderr
    assert list(home.rglob("*")) == []
    assert sorted((str(path), path.stat().st_mtime_ns) for path in repository.rglob("*")) == before


def test_a_script_beside_the_data_is_not_run(tmp_path):
    write(tmp_path, **{"load__py": "raise SystemExit", "train__txt": "a\n"})
    assert rows_of(tmp_path) == [{"text": "a"}]
    write(tmp_path, **{f"{tmp_path.name}__py": "raise SystemExit"})
    with pytest.raises(InputError, match="scripts are no longer supported"):
        rows_of(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "doesn't contain any data files"),
        ({"x__bin": b"\x80\0"}, "has no format that can be read"),
        ({"train__zip": zipped(train__csv="a\n1\n")}, "has no format that can be read"),
        ({"train__zip": "PK"}, "File is not a zip file"),
        ({"train__csv": ""}, "the split 'train' has no rows"),
        ({"train__csv": "text,label\n"}, "the split 'train' has no rows"),
        ({"train__txt": ""}, "the split 'train' has no rows"),
        ({"test__csv": "a\n1\n"}, "has no split 'train', nor a file of that name; it has test"),
        ({"train__csv": "a\n1\n", "test__jsonl": '{"a": 1}\n'}, "same data file format for all splits"),
        ({"train-0__csv": "a\n1\n", "train-1__csv": "b\n1\n"}, "train-1.csv has the columns"),
        ({"README__md": "---\nconfigs: [\n---\n", "a__csv": "a\n1\n"}, "cannot be read as YAML"),
        ({"README__md": card("https://x.y/a.csv")}, "another machine"),
        ({"README__md": card("hf://x/a.csv")}, "another machine"),
        ({"README__md": card("no.csv")}, "Unable to find"),
        ({"README__md": card("a.csv\n  header: 1"), "a__csv": "a\n1\n"}, "sets header to 1"),
    ],
)
def test_a_bad_folder_is_refused(tmp_path, content, message):
    write(tmp_path, **content)
    with pytest.raises(InputError, match=message):
        rows_of(tmp_path)


def test_a_file_outside_the_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path, out__csv="a\n1\n")
    write(tmp_path / "in", README__md=card("../out.csv"), a__csv="a\n1\n")
    with pytest.raises(InputError, match="outside the folder"):
        rows_of(tmp_path / "in")


@pytest.mark.parametrize(
    ("path", "config", "message"),
    [
        ("nowhere", None, "nowhere does not exist"),
        ("", "third", "'third' not found. Available: .'first', 'second'."),
        ("", None, "among the available configs: .'first', 'second'."),
        ("other.parquet", "first", "single file and has no configuration 'first'"),
    ],
)
def test_a_missing_folder_and_an_unknown_configuration_are_refused(repository, path, config, message):
    with pytest.raises(InputError, match=message):
        rows_of(repository / path, config=config)


def test_missing_columns_are_named():
    require_columns({"a": 1, "b": 2}, names=["b"], where="here")
    with pytest.raises(InputError, match="here lacks the columns c, d; it has a, b"):
        require_columns(Features({"a": Value("string"), "b": Value("string")}), names=["c", "a", "d"], where="here")


LOST = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
UNKNOWN = "Arrow type map<string, int8 ('a')> does not have a datasets dtype equivalent."


@pytest.mark.parametrize(
    ("kind", "metadata", "message"),
    [
        (pa.map_(pa.string(), pa.int8()), None, f"ValueError: {UNKNOWN}"),
        (pa.int8(), "{", f"JSONDecodeError: {LOST}"),
        (pa.int8(), '{"info": null}', "TypeError: argument of type 'NoneType' is not iterable"),
        (pa.int8(), '{"info": {"features": {"a": "x"}}}', "AttributeError: 'str' object has no attribute 'items'"),
        (pa.int8(), '{"info": {"features": {"a": []}}}', "IndexError: list index out of range"),
    ],
)
def test_a_parquet_file_with_columns_that_datasets_does_not_know_is_refused(tmp_path, kind, metadata, message):
    path = tmp_path / "train.parquet"
    schema = pa.schema([("a", kind)], metadata={"huggingface": metadata} if metadata else None)
    pq.write_table(pa.table({"a": pa.array([None], kind)}, schema=schema), path)
    with pytest.raises(InputError) as caught:
        open_split(path, config=None, split="train")
    assert str(caught.value) == (
        f"{path}: its schema cannot be read ({message}); expected types that the library datasets knows and, if there "
        "is metadata called 'huggingface', metadata that this library has written"
    )
