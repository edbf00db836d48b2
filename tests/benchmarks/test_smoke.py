"""The benchmark programs on tiny models: each part that needs no other project runs and returns what its page shows."""

import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from transformers import BertTokenizer

from benchmarks import (
    distillation,
    inference,
    machines,
    peak,
    preparation,
    pretraining,
    saving,
    task_distillation,
    throughput,
    together,
)
from benchmarks import task_finetuning as finetuning
from benchmarks.clones import ROOT
from benchmarks.throughput import OURS
from tinybert.data.documents import Writer
from tinybert.data.tokenizer import build_tokenizer, save_tokenizer

MODULES = sorted(file.stem for file in (ROOT / "benchmarks").glob("*.py") if file.stem != "__init__")
TINY = {
    "TEACHER": (2, 24, 2, 40),
    "STUDENT": (1, 16, 2, 24),
    "LAYERS": [1],
    "VOCAB_SIZE": 99,
    "BATCH": 4,
}
STEPS = 5


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(machines, "FILE", tmp_path / "machines.json")
    for module in (distillation, inference, pretraining, task_distillation, finetuning, throughput, together):
        for name, value in TINY.items():
            monkeypatch.setattr(module, name, value, raising=False)
    threads = torch.get_num_threads()
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def tokenizer() -> BertTokenizer:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(94))]
    return build_tokenizer(pieces, lowercase=True, max_length=128)


@pytest.fixture
def features() -> list[dict[str, Any]]:
    """Of rows with 6 to 9 tokens."""
    rows = enumerate([2, *range(5, 9 + n % 4), 3] for n in range(STEPS * 4))
    return [{"row": n, "input_ids": ids, "token_type_ids": [0] * len(ids), "label": n % 2} for n, ids in rows]


def random_blocks() -> np.ndarray:
    return np.random.default_rng(1).integers(5, 99, (STEPS * 4, 16))


@pytest.mark.parametrize("name", MODULES)
def test_every_program_imports(name: str) -> None:
    assert import_module(f"benchmarks.{name}").__doc__


@pytest.mark.parametrize("program", pretraining.PROGRAMS)
def test_pretraining(program: str, tokenizer: BertTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "SHAPES", {"tiny": (1, 16, 2, 24)})
    times, losses = pretraining.PROGRAMS[program]("tiny", random_blocks(), tokenizer, steps=STEPS)
    assert len(times) == STEPS + 1 and throughput.speed(times, tokens=64) > 0
    assert len(losses) == STEPS and abs(losses[0] - math.log(99)) < 0.5


def test_distillation(features: list[dict[str, Any]]) -> None:
    _, bert, projections = distillation.distil_ours(random_blocks(), steps=STEPS)
    assert math.isfinite(distillation.heldout_loss(bert, projections, random_blocks()))
    times, student, projections = task_distillation.distil_ours(features, steps=STEPS)
    assert [len(phase) for phase in times] == [STEPS + 1, STEPS + 1]
    assert math.isfinite(task_distillation.heldout_intermediate_loss(student, projections, features))


@pytest.mark.parametrize("best", [False, True])
def test_fine_tuning_by_trainer(features: list[dict[str, Any]], best: bool) -> None:
    times, student, tokens = finetuning.finetune_by_trainer(features, steps=STEPS, best=best)
    assert len(times) == STEPS + 1 and tokens.sum() == sum(len(feature["input_ids"]) for feature in features)
    assert abs(finetuning.heldout_loss(student, features) - math.log(2)) < 0.1


def test_fine_tuning(features: list[dict[str, Any]]) -> None:
    _, student = finetuning.finetune_ours(features, steps=STEPS)
    assert abs(finetuning.heldout_loss(student, features) - math.log(2)) < 0.1
    section = peak.section("page", {"name": lambda: [finetuning.training(features)[0]]}, {"name": 1.0}, steps=1)
    assert "| name | " in section
    assert machines.legend(peak.share_table("page")) == f"- A: {machines.this_machine()}"


def test_cells_are_the_speed_up_of_this_project_and_its_speed() -> None:
    speeds = throughput.measure_rounds({"other": lambda: 2.0, OURS: lambda: 6.0}, rounds=2)
    assert throughput.cells(speeds, label="x") == {
        "x | other": "3.00 (3.00 to 3.00)",
        f"x | {OURS}": "6 tokens/s",
    }


def test_a_table_has_a_column_for_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def on(machine: str, cells: dict[str, str]) -> list[str]:
        monkeypatch.setattr(machines, "this_machine", lambda: machine)
        return machines.table("speed", cells, head="model | by").splitlines()

    on("one", {"a | x": "1", "b | x": "2"})
    on("two", {"b | x": "3", "c | x": "4"})
    machines.table("other", {"a": "1"}, head="")
    again = on("one", {"a | x": "5", "b | x": "6"})
    assert again == [
        "| model | by | A | B |",
        "|---|---|---|---|",
        "| a | x | 5 | - |",
        "| b | x | 6 | 3 |",
        "| c | x | - | 4 |",
    ]
    assert machines.legend("speed") == "- A: one\n- B: two"
    assert machines.legend("other") == "- B: two"


def test_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ONNX, whose export takes long and has tests of its own."""
    for name in ("write_float32", "write_int8"):
        monkeypatch.setattr(inference, name, lambda model, file: None)
    monkeypatch.setattr(inference, "onnx_variants", lambda name, files, threads: {})
    monkeypatch.setattr(inference, "LENGTHS", (8,))
    models = (inference.build(*shape) for shape in ((2, 24, 2, 40), (1, 16, 2, 24)))
    cells = inference.measure(*models, rounds=2, threads=1)
    assert len(cells) == 4 and all(row.startswith("8 | ") for row in cells)
    assert [row for row, cell in cells.items() if cell.endswith(" ms")] == ["8 | teacher, torch float32"]


def test_saving(tmp_path: Path) -> None:
    shape = saving.default_shape() | {"hidden_size": 16, "intermediate_size": 24, "vocab_size": 99}
    assert saving.seconds(shape, steps=2, folder=tmp_path)[1] == 1
    assert saving.seconds(shape, steps=2, folder=None)[1] == 0
    cells = saving.cells([(2.0, 1.0, 3), (3.0, 2.0, 3), (4.0, 4.0, 3)])
    assert [*cells.values()] == ["3.0", "3", "2.0", "1.500 (1.000 to 2.000)"]


def test_preparation_by_stages(tmp_path: Path, tokenizer: BertTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    with Writer(tmp_path / "corpus/00000.parquet") as corpus:
        for n in range(50):
            corpus.add(" ".join(f"w{(n * k) % 90}" for k in range(40)))
    preparation.write_text(tmp_path / "corpus", tmp_path / preparation.SOURCE, megabytes=0.1)
    (tmp_path / "models/tokenizer").mkdir(parents=True)
    save_tokenizer(tokenizer, folder=tmp_path / "models/tokenizer")
    monkeypatch.chdir(tmp_path)
    assert preparation.by_stages() > 100


def test_students_together_are_timed_beside_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "STUDENTS", [(1, 16, 2, 24), (2, 12, 2, 24)])
    monkeypatch.setattr(together, "COUNTS", (1, 2))
    monkeypatch.setattr(together, "LENGTH", 16)
    (measured,) = together.rounds(random_blocks(), count=1, steps=STEPS)
    assert len(measured["alone"]) == 2 and [*measured["together"]] == [2]
    row = {"alone": [2.0, 1.0], "together": {2: 2.5}}
    assert [*together.cells([row]).values()] == ["2.00", "1.00 (1.00 to 1.00)", "1.00",
                                                 "2.50", "1.25 (1.25 to 1.25)", "1.20"]  # fmt: skip
