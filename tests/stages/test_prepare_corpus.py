"""The corpus in one pass and in parts: what stays, what is left out and why, and the same bytes however it was made."""

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages import prepare_corpus
from stages.pipeline import engine
from stages.pipeline.stage import Run
from tests.stages.planted import NEAR, PLANTED, UNIQUE, WORDS, parameters, prepared, project, start, write_source
from tests.waiting import processes_in, wait_for
from tinybert.data.documents import read_documents
from tinybert.errors import InputError


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source"))


def test_planted_near_duplicates_go_and_nothing_else_in_one_and_two_processes_and_after_a_kill(
    source: Path, tmp_path: Path
) -> None:
    one = project(source, tmp_path / "one")
    files = prepared(one)
    left_out = removed(one)
    assert Counter(row["reason"] for row in left_out) == {"short": 2, "repeated": 2, "near duplicate": PLANTED}
    kept = [text for split in ("train", "heldout") for text in read_documents(one / "data/corpus" / split)]
    assert len(kept) == UNIQUE == len(set(kept))
    assert prepared(one) == files  # once more

    two = project(source, tmp_path / "two", workers=2)
    killed = start(two)
    wait_for(lambda: bool(list(two.glob(".state/work/first/*.npy"))), seconds=60)
    killed.kill()
    killed.wait()
    wait_for(lambda: not processes_in(two), seconds=120)
    assert not (two / "data/corpus").exists()
    assert prepared(two) == files


def test_workers_that_are_still_starting_end_with_the_stage(source: Path, tmp_path: Path) -> None:
    folder = project(source, tmp_path / "project", workers=2)
    killed = start(folder)
    wait_for(lambda: len(processes_in(folder)) > 2, seconds=60)  # the stage, multiprocessing's own, a worker
    killed.kill()
    killed.wait()
    wait_for(lambda: not processes_in(folder), seconds=30)


def test_of_each_cluster_the_first_document_stays_and_the_table_names_it(source: Path, tmp_path: Path) -> None:
    folder = project(source, tmp_path / "project")
    prepared(folder)
    kept = {text for split in ("train", "heldout") for text in read_documents(folder / "data/corpus" / split)}
    for row in removed(folder):
        text, stays = (at(folder, row[f"{part}file"], row[f"{part}row"]) for part in ("", "kept_"))
        if row["reason"] == "short":
            assert stays is None and len(text or "") < 20
        else:
            assert text and stays in kept and text not in kept
            assert (row["kept_file"], row["kept_row"]) < (row["file"], row["row"])
            shared = len({*text.lower().replace(",", "").split()} & {*stays.lower().replace(",", "").split()})
            assert shared >= WORDS - 5


def test_rows_are_parts_where_files_are_few(source: Path, tmp_path: Path) -> None:
    folder = project(source, tmp_path / "project")
    prepared(folder, near_duplicates=NEAR | {"shards": 7})
    rows = removed(folder)
    assert {row["file"] for row in rows} == {None}
    assert Counter(row["reason"] for row in rows)["near duplicate"] == PLANTED


def test_one_pass_leaves_out_short_and_repeated_ones_alone_and_starts_no_engine(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(source, tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "datatrove", None)  # an import of it is an error
    model = prepare_corpus.Parameters.model_validate(parameters(near_duplicates=None))
    prepare_corpus.main(model, Run("", Path("unused")))
    assert Counter(row["reason"] for row in removed(folder)) == {"short": 2, "repeated": 2}
    assert sum(1 for split in ("train", "heldout") for _ in read_documents(Path("data/corpus") / split)) == 1720


@pytest.mark.parametrize("workers", [1, 2])
def test_a_part_with_a_wrong_row_is_one_message(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = project(source, tmp_path / "project", workers=workers)
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=r"^raw lacks the columns body; it has text$"):
        model = prepare_corpus.Parameters.model_validate(parameters(text_column="body"))
        prepare_corpus.main(model, Run("", Path(".state/work")))
    assert capfd.readouterr() == ("", "")


def die(data: Any, rank: int = 0, world_size: int = 1) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_ends_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("compute.local.yaml").write_text("preparation: {workers: 2}\n")
    with pytest.raises(InputError, match="^a worker process was killed, perhaps for its memory; try fewer workers$"):
        engine.run_step("clean", 3, [die], folder=tmp_path / "logs")


def test_a_document_of_marks_alone_is_not_a_repeated_one_of_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither has a letter."""
    texts = ["", "-" * 80, *(f"{word} " * 20 for word in ("one", "two", "three", "four", "five", "six")), "=" * 60]
    monkeypatch.chdir(tmp_path)
    for near in (NEAR, None):
        changes = {"source": "raw.jsonl", "near_duplicates": near, "heldout": 0.4}
        Path("raw.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        model = prepare_corpus.Parameters.model_validate(parameters(**changes))
        prepare_corpus.main(model, Run("", tmp_path / f"work-{near is None}"))
        assert {(row["reason"], row["row"], row["kept_row"]) for row in removed(tmp_path)} == {
            ("short", 1, None), ("repeated", 9, 2),
        }  # fmt: skip


def removed(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "data/corpus/removed").to_pylist()


def at(folder: Path, file: str | None, row: int | None) -> str | None:
    """The text at a place of the source."""
    if file is None or row is None:
        return None
    return json.loads((folder / file).read_text().splitlines()[row - 1])["text"]
