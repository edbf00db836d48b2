"""Valid input mutated at random is either valid still or refused in one message, with nothing written."""

import copy
import gzip
import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from benchmarks.clones import ROOT
from stages import prepare_corpus, prepare_task
from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from stages.pipeline.stage import Run
from tinybert.errors import InputError

MANY = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NASTY = [
    *(b"", b"\x00", b"\xff\xfe", b'"', b"\n", b"\r", b",", b"{", b"}", b"'", b"\t", b"-1", b"NaN", b"null", b"true"),
    *(b"[" * 100_000, b"9" * 5000, b"1e999", b"\\ud800", b"\xed\xa0\x80", "\N{RIGHT-TO-LEFT OVERRIDE}".encode()),
]
SCALARS = [
    *(None, True, False, 0, -1, 1, 3, 10**30, 0.0, -0.5, 1e-300, float("inf"), float("nan"), "", "x", "1e-3", "auto"),
    *("../..", "/", "data/raw", "${oops}", "\x00", "\xe9" * 300, [], [1], ["a", "b"], {}, {"a": 1}),
]


@st.composite
def mutated_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """Up to four cuts, insertions, repetitions and flipped bits."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["cut", "remove", "insert", "repeat", "flip", "replace"])):
            case "cut":
                del content[place:]
            case "remove":
                del content[place : place + draw(st.integers(1, 40))]
            case "insert":
                content[place:place] = draw(st.sampled_from(NASTY) | st.binary(max_size=20))
            case "repeat":
                content[place:place] = content[place : place + draw(st.integers(1, 40))]
            case "flip" if content:
                content[place] ^= 1 << draw(st.integers(0, 7))
            case _:
                content[place : place + draw(st.integers(1, 12))] = draw(st.sampled_from(NASTY))
    return bytes(content)


@st.composite
def mutated_tree(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """Up to three values replaced, keys removed, renamed or added, at any depth."""
    tree = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        inner: dict[Any, Any] = tree
        key = draw(st.sampled_from(sorted(inner, key=str))) if inner else None
        while isinstance(deeper := inner.get(key), dict) and deeper and draw(st.booleans() | st.just(True)):
            inner = deeper
            key = draw(st.sampled_from(sorted(inner, key=str)))
        if inner:
            _mutate(draw, inner, key)
    return tree


def _mutate(draw: st.DrawFn, inner: dict[Any, Any], key: Any) -> None:
    match draw(st.sampled_from(["replace", "replace", "remove", "rename", "add"])):
        case "replace":
            values = st.sampled_from(SCALARS) | st.integers() | st.floats() | st.text(max_size=8)
            inner[key] = copy.deepcopy(draw(values))
        case "remove":
            del inner[key]
        case "rename":
            inner[draw(st.text(max_size=8))] = inner.pop(key)
        case _:
            inner[draw(st.text(max_size=8))] = copy.deepcopy(draw(st.sampled_from(SCALARS)))


PAIRS = [{"text": f"a text, number {n}", "label": "good" if n % 2 else "bad"} for n in range(16)]
SCORES = [{"text": f"a text, number {n}", "label": n / 4} for n in range(16)]
WORDS = [{"words": ["in", "Rome", str(n)], "tags": ["O", "B-place", "I-place"]} for n in range(16)]
QUESTIONS = [
    {"question": "who?", "context": f"number {n} it was", "answers": {"text": [str(n)], "answer_start": [7]}}
    for n in range(16)
]
SETS = [{"text": f"a text, number {n}", "labels": ["good", "long"][: n % 3]} for n in range(16)]
ROWS = {"classification": PAIRS, "multilabel": SETS, "regression": SCORES, "ner": WORDS, "qa": QUESTIONS}


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv(rows: list[dict[str, Any]], separator: str = ",") -> bytes:
    texts = [separator.join(rows[0]), *(separator.join(f'"{value}"' for value in row.values()) for row in rows)]
    return "\r\n".join(texts).encode()


WRITERS = {"jsonl": lines, "parquet": parquet, "jsonl.gz": lambda rows: gzip.compress(lines(rows), mtime=0)}
TASKS = [
    *((kind, f"train.{ending}", write(rows)) for kind, rows in ROWS.items() for ending, write in WRITERS.items()),
    *((kind, "train.csv", csv(ROWS[kind])) for kind in ("classification", "regression")),
    ("classification", "train.tsv", csv(PAIRS, "\t")),
    ("classification", "train.txt", "".join(f"__label__{row['label']} {row['text']}\n" for row in PAIRS).encode()),
    ("ner", "train.conll", "".join(f"in O\nRome B-place\n{n} I-place\n\n" for n in range(16)).encode()),
    ("qa", "train.json", json.dumps({"data": [
        {"paragraphs": [{"context": row["context"], "qas": [row]}]} for row in QUESTIONS
    ]}).encode()),
]  # fmt: skip
DOCUMENTS = [{"text": f"A document of some words, the {n}th."} for n in range(60)]
TEXTS = [
    ("train.txt", "".join(row["text"] + "\n" for row in DOCUMENTS).encode()),
    ("train.jsonl", lines(DOCUMENTS)),
    ("train.parquet", parquet(DOCUMENTS)),
    ("train.csv", csv(DOCUMENTS)),
    ("train.txt", "\n\n".join(row["text"] for row in DOCUMENTS).encode()),
    ("wiki_00", "".join(f'<doc id="{n}">\n{row["text"]}\n</doc>\n' for n, row in enumerate(DOCUMENTS)).encode()),
]
HALF_A_PAIR = lines(PAIRS).replace(b"a text", b"\\ud800 text", 1)


@pytest.fixture(scope="module", autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with chdir(tmp_path_factory.mktemp("fuzz")):
        Path("data/mine").mkdir(parents=True)
        yield


def is_read(stage: Any, parameters: dict[str, Any], *, output: Path, name: str, content: bytes) -> bool:
    """Whether the stage has written its output; else it refuses the file in one message."""
    file = Path("data/mine") / name
    file.write_bytes(content)
    try:
        stage.main(stage.Parameters.model_validate(parameters), Run("mine", Path("resume")))
    except InputError as error:
        assert "data/mine" in str(error)
        assert not output.exists()
        return False
    else:
        assert output.is_dir()
        shutil.rmtree(output)
        return True
    finally:
        file.unlink()
        assert list(Path("data").rglob("*.partial")) == []


def mutated(case: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*map(st.just, case[:-1]), mutated_bytes(case[-1]))


def task(kind: str, name: str, content: bytes) -> bool:
    words = {"words": "tokens", "tags": "ner_tags"}
    columns = words if name.endswith(".conll") else {column: column for column in ROWS[kind][0]}
    train = name if name.endswith(".conll") else "train"
    data = {"source": "data/mine", "config": None, "splits": {"train": train, "validation": 0.4, "test": train},
            "columns": columns, "max_rows": None}  # fmt: skip
    parameters = {"task": {"kind": kind, "data": data}}
    return is_read(prepare_task, parameters, output=Path("data/tasks/mine"), name=name, content=content)


def corpus(name: str, content: bytes) -> bool:
    section = {"source": "data/mine", "config": None, "split": "train", "text_column": "text", "encoding": None,
               "documents": "auto", "min_characters": 3, "max_documents": None, "heldout": 0.1,
               "near_duplicates": None}  # fmt: skip
    parameters = {"prepare_corpus": section}
    return is_read(prepare_corpus, parameters, output=Path("data/corpus"), name=name, content=content)


def test_valid_files_are_read():
    assert all(task(*case) for case in TASKS)
    assert all(corpus(*case) for case in TEXTS)


@MANY
@given(st.sampled_from(TASKS).flatmap(mutated))
@example(("classification", "train.jsonl", HALF_A_PAIR))
@example(("classification", "train.jsonl", b"9" * 5000))
@example(("classification", "train.json", b"[" * 100_000))
def test_a_task_is_prepared_or_refused(case: tuple[str, str, bytes]):
    task(*case)


@MANY
@given(st.sampled_from(TEXTS).flatmap(mutated))
@example(("train.jsonl", HALF_A_PAIR))
def test_a_corpus_is_prepared_or_refused(case: tuple[str, bytes]):
    corpus(*case)


FILES = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]
TREES = [read_file(file) for file in FILES]


def check(file: Path) -> None:
    """Valid or refused in one clear message; the numbers of a valid task are all there."""
    try:
        whole, tasks = validate_whole(read_file(file))
    except InputError as error:
        assert str(error).startswith(("params.yaml is not valid:", f"{file} is not YAML", f"{file}: expected sections"))
        assert len(str(error)) < 20_000
    else:
        assert all(
            {*tasks[name]} == {"data", "origin", "encoding", "teacher", "teaching", "student"} for name in whole.tasks
        )


@settings(MANY, max_examples=250)
@given(st.sampled_from(TREES).flatmap(mutated_tree))
def test_mutated_values_are_valid_or_refused(tree: dict[str, Any]):
    YAML(typ="safe").dump(tree, Path("params.yaml"))
    check(Path("params.yaml"))


@settings(MANY, max_examples=250)
@given(st.sampled_from(FILES).flatmap(lambda file: mutated_bytes(file.read_bytes())))
def test_mutated_bytes_are_valid_or_refused(content: bytes):
    Path("params.yaml").write_bytes(content)
    check(Path("params.yaml"))
