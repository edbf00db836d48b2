"""Texts of the tasks named, without those that are scored, and without a trace of other tasks."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages import task_texts
from stages.pipeline.stage import Run
from tinybert.data.packing import pack_texts
from tinybert.data.tokenizer import build_tokenizer, load_tokenizer, save_tokenizer
from tinybert.errors import InputError
from tinybert.files import read_object
from tinybert.tasks.classification import rows as classification
from tinybert.tasks.ner import rows as ner
from tinybert.tasks.qa import rows as qa
from tinybert.tasks.tables import write_rows

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]
PAIRS = {
    "train": [("a b c d e f g", "h i j a b c d"), ("a a a a b b b", "h i j a b c d"), ("c c c c c c c", None)],
    "validation": [("a a a a b b b", None)],
    "test": [("d d d d d d d", "c c c c c c c")],
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    save_tokenizer(build_tokenizer(PIECES, lowercase=True, max_length=64), folder=tmp_path / "models/tokenizer")
    for name in ("pairs", "words", "questions"):
        (tmp_path / "data/tasks" / name).mkdir(parents=True)
    for split, texts in PAIRS.items():
        rows: list[dict[str, Any]] = [{"text": a, "text_pair": b, "label": "x"} for a, b in texts]
        write_rows(tmp_path / f"data/tasks/pairs/{split}.parquet", rows, classification.SCHEMA)
        words = [{"words": ["e", "f", "g", "h"], "tags": ["O"] * 4}] if split == "train" else []
        write_rows(tmp_path / f"data/tasks/words/{split}.parquet", words, ner.SCHEMA)
        row = {"id": "1", "question": "a j", "context": "b i b i b i", "answers": [{"text": "b", "start": 0}]}
        write_rows(tmp_path / f"data/tasks/questions/{split}.parquet", [row] if split == "train" else [], qa.SCHEMA)
    with chdir(tmp_path):
        yield tmp_path


def packed(*tasks: str, length: int = 16) -> tuple[np.ndarray, dict[str, int]]:
    sections = {"pack": {"sequence_length": length}, "task_texts": {"tasks": list(tasks), "share": 0.5}}
    task_texts.main(task_texts.Parameters.model_validate(sections), Run("", Path("unused")))
    return np.load("data/task_texts/train.npy"), read_object(Path("data/task_texts/task_texts.json"))


def test_they_are_the_different_texts_of_training_rows_that_no_scored_row_has(project: Path) -> None:
    blocks, counts = packed("words", "pairs", "questions")
    texts = ["e f g h", "a b c d e f g", "h i j a b c d", "a j", "b i b i b i"]
    expected = pack_texts(texts, tokenizer=load_tokenizer(Path("models/tokenizer")), sequence_length=16)
    assert np.array_equal(blocks, expected) and len(blocks)
    assert counts == {"texts": 5, "equal_to_validation_or_test": 2, "blocks": len(blocks)}


def test_without_tasks_there_are_none(project: Path) -> None:
    blocks, counts = packed()
    assert blocks.shape == (0, 16) and not any(counts.values())


def test_too_little_text_is_refused(project: Path) -> None:
    with pytest.raises(InputError, match="^params.yaml: task_texts.tasks have too little text for one block of 64 tok"):
        packed("words", length=64)
    assert not Path("data/task_texts").exists()
