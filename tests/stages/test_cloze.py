"""What `cloze` writes: questions for a task that asks for them, no row for another, and what it refuses."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pyarrow as pa
import pytest

from stages import cloze
from stages.pipeline.stage import Run
from tinybert.errors import InputError
from tinybert.tasks.cloze import SCHEMA
from tinybert.tasks.qa.rows import SCHEMA as ROWS
from tinybert.tasks.tables import read_rows, write_rows

TEXT = "Line {} of this corpus says that the ship Anna left port {} in May with a crew of ten men."


@pytest.fixture
def project(tmp_path: Path) -> Iterator[None]:
    """A task of eight questions, and a corpus with a passage for each and two that are held out."""
    with chdir(tmp_path):
        for split, numbers in (("train", range(100, 108)), ("validation", [0]), ("test", [1])):
            row = {"question": "Which ship left?", "answers": []}
            rows = [{"id": f"{n}", "context": TEXT.format(n, n), **row} for n in numbers]
            Path("data/tasks/t").mkdir(parents=True, exist_ok=True)
            write_rows(Path(f"data/tasks/t/{split}.parquet"), rows, ROWS)
        corpus([TEXT.format(n, n) for n in range(10)])
        yield


def corpus(texts: list[str]) -> None:
    Path("data/corpus/train").mkdir(parents=True, exist_ok=True)
    write_rows(
        Path("data/corpus/train/0.parquet"), [{"text": text} for text in texts], pa.schema([("text", pa.string())])
    )


def run(count: int) -> list[dict[str, str]]:
    cloze.main(cloze.Parameters.model_validate({"task": {"teaching": {"cloze_questions": count}}}), Run("t", Path("x")))
    return read_rows(Path("data/cloze"), "t")


def test_questions_are_written_but_none_of_a_held_out_context(project: None, capsys: pytest.CaptureFixture) -> None:
    rows = run(3)
    assert len(rows) == 24 and {row["context"] for row in rows} == {TEXT.format(n, n) for n in range(2, 10)}
    assert "data/cloze/t: 24 questions on 8 passages; left out: 2 passages" in "".join(capsys.readouterr())


def test_without_questions_the_corpus_is_not_read_and_the_file_is_empty(project: None) -> None:
    Path("data/corpus/train/0.parquet").unlink()
    assert run(0) == []
    assert Path("data/cloze/t.parquet").stat().st_size and SCHEMA.names == ["question", "context"]


def test_a_corpus_without_a_passage_is_refused_by_name(project: None) -> None:
    corpus(["too short"])
    with pytest.raises(
        InputError, match=r"^params.yaml: tasks.t.teaching.cloze_questions is 2: data/corpus/train: exp"
    ):
        run(2)
    assert not Path("data/cloze/t.parquet").exists()
