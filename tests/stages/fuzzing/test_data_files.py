"""Files of texts and of labelled rows spoilt at random: read, or refused in one message with nothing written."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages import prepare_corpus, prepare_task
from stages.pipeline.stage import Run
from tests.stages.fuzzing.mutations import spoilt_bytes
from tinybert.errors import InputError

MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=True,
)
PAIRS = [{"text": f"a text, number {n}", "label": "good" if n % 2 else "bad"} for n in range(8)]
SCORES = [{"text": f"a text, number {n}", "label": n / 4} for n in range(8)]
WORDS = [{"words": ["in", "Rome", str(n)], "tags": ["O", "B-place", "I-place"]} for n in range(8)]
QUESTIONS = [
    {"question": "who?", "context": f"number {n} it was", "answers": {"text": [str(n)], "answer_start": [7]}}
    for n in range(8)
]
ROWS = {"classification": PAIRS, "regression": SCORES, "ner": WORDS, "qa": QUESTIONS}
COLUMNS: dict[str, dict[str, str]] = {
    "classification": {"text": "text", "label": "label"},
    "regression": {"text": "text", "label": "label"},
    "ner": {"words": "words", "tags": "tags"},
    "qa": {"question": "question", "context": "context", "answers": "answers"},
}


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
]
DOCUMENTS = [{"text": f"A document of some words, the {n}th."} for n in range(60)]
TEXTS = [
    ("train.txt", "".join(row["text"] + "\n" for row in DOCUMENTS).encode()),
    ("train.jsonl", lines(DOCUMENTS)),
    ("train.parquet", parquet(DOCUMENTS)),
    ("train.csv", csv(DOCUMENTS)),
]
HALF_A_PAIR = lines(PAIRS).replace(b"a text", b"\\ud800 text", 1)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "data/mine").mkdir(parents=True)
    return folder


def read_or_refused(stage: Any, parameters: dict[str, Any], *, output: Path, name: str, content: bytes) -> bool:
    """Whether it was read: the stage's output is there, or it has said why not."""
    given = Path("data/mine") / name
    given.write_bytes(content)
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
        given.unlink()
        assert list(Path("data").rglob("*.partial")) == []


def spoilt(case: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*map(st.just, case[:-1]), spoilt_bytes(case[-1]))


def task(project: Path, kind: str, name: str, content: bytes) -> bool:
    data = {"source": "data/mine", "config": None, "splits": {"train": "train", "validation": 0.25, "test": "train"},
            "columns": COLUMNS[kind], "max_rows": None}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        parameters = {"task": {"kind": kind, "data": data}}
        return read_or_refused(prepare_task, parameters, output=Path("data/tasks/mine"), name=name, content=content)


def corpus(project: Path, name: str, content: bytes) -> bool:
    section = {"source": "data/mine", "config": None, "split": "train", "text_column": "text", "min_characters": 3,
               "max_documents": None, "heldout": 0.1}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        parameters = {"prepare_corpus": section}
        return read_or_refused(prepare_corpus, parameters, output=Path("data/corpus"), name=name, content=content)


def test_unspoilt_files_are_read(project: Path):
    assert all(task(project, *case) for case in TASKS)
    assert all(corpus(project, *case) for case in TEXTS)


@MANY
@given(st.sampled_from(TASKS).flatmap(spoilt))
@example(("classification", "train.jsonl", HALF_A_PAIR))
@example(("classification", "train.jsonl", b"9" * 5000))
@example(("classification", "train.json", b"[" * 100_000))
def test_a_task_is_prepared_or_refused(project: Path, case: tuple[str, str, bytes]):
    task(project, *case)


@MANY
@given(st.sampled_from(TEXTS).flatmap(spoilt))
@example(("train.jsonl", HALF_A_PAIR))
def test_a_corpus_is_prepared_or_refused(project: Path, case: tuple[str, bytes]):
    corpus(project, *case)
