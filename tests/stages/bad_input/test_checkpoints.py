"""Checkpoints that no pipeline can start from, and students that cannot be cut out of them.

What the files of a checkpoint may hold is in tests/tinybert/model/test_checkpoint_validation.py.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from transformers import BertConfig, BertForPreTraining, BertModel, BertTokenizer

from stages import initialize
from stages.pipeline.stage import Run
from tests.stages.bad_input.project import edit, leftovers, refused, run_well, stage_here
from tinybert.errors import InputError
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.tables import write_labels, write_rows

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "##a", "##b"]
IDS = {piece: number for number, piece in enumerate(PIECES)}
SHAPE = {"vocab_size": len(PIECES), "max_position_embeddings": 32, "num_hidden_layers": 3, "hidden_size": 12,
         "num_attention_heads": 2, "intermediate_size": 14}  # fmt: skip
CONFIG = BertConfig.from_dict(SHAPE)
STUDENT = {"num_hidden_layers": 2, "hidden_size": 12, "num_attention_heads": 2, "intermediate_size": 7}
SOURCE = {"initialize": {"source": "data/bert", "scratch": None}}


@pytest.fixture(autouse=True)
def settings_of_torch() -> Iterator[None]:
    """A stage that runs in this process sets them for the whole process."""
    threads = torch.get_num_threads()
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid checkpoint."""
    folder = tmp_path_factory.mktemp("bert")
    BertForPreTraining(CONFIG).save_pretrained(folder)
    BertTokenizer(vocab=IDS).save_pretrained(folder)
    return folder


@pytest.fixture
def source(project: Path, bert: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it at data/bert in the project, which is the working directory."""
    monkeypatch.chdir(project)
    return shutil.copytree(bert, project / "data/bert")


def run_initialize(scratch: dict[str, Any] | None = None) -> None:
    section = {"source": "data/bert", "scratch": scratch}
    initialize.main(initialize.Parameters.model_validate({"initialize": section}), Run("", Path("unused")))


def message(scratch: dict[str, Any] | None = None) -> str:
    """Why `initialize` refuses data/bert."""
    with pytest.raises(InputError) as caught:
        run_initialize(scratch)
    assert leftovers(Path(), "models/tokenizer", "models/initial") == []
    return str(caught.value)


def test_a_valid_checkpoint_is_taken_as_it_is(source: Path):
    run_initialize()
    assert (Path("models/initial") / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()


def test_the_stage_refuses_a_checkpoint_that_is_not_bert(project: Path, source: Path):
    edit(project, SOURCE)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    text = refused(stage_here(project, "initialize"), "initialize")
    assert text == "data/bert/config.json: model_type is 'gpt2', expected 'bert'"
    assert leftovers(project, "models/tokenizer", "models/initial") == []


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(source: Path):
    BertTokenizer(vocab=IDS | {"##c": 33, "##d": 34}).save_pretrained(source)
    assert message() == (
        "data/bert: the tokenizer's ids go up to 34, the model's 33 embeddings to 32; they do not belong together"
    )


def test_a_shape_beside_a_checkpoint_is_refused(source: Path):
    assert message(SHAPE | {"lowercase": True, "seed": 1}) == (
        "params.yaml: initialize.scratch: expected null, got a shape: data/bert is not a corpus, and a checkpoint "
        "brings its own shape and vocabulary"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"num_hidden_layers": 4}, "num_hidden_layers is 4, but the teacher has 3 layers"),
        (
            {"hidden_size": 14, "intermediate_size": 15},
            "the student cannot be wider than its teacher: "
            "hidden_size is 14, the teacher's is 12; intermediate_size is 15, the teacher's is 14",
        ),
    ],
    ids=["layers", "widths"],
)
def test_a_student_larger_than_the_checkpoint_is_refused(
    project: Path, bert: Path, changes: dict[str, int], expected: str
):
    link(project, bert, "models/teacher")
    write_blocks(project / "data/packed")
    edit(project, SOURCE | {f"students.small.{key}": value for key, value in (STUDENT | changes).items()})
    assert refused(stage_here(project, "shrink@small"), "shrink@small") == expected
    assert leftovers(project, "models/shrunk") == []


def write_blocks(folder: Path) -> None:
    folder.mkdir(parents=True)
    for split in ("train", "heldout"):
        blocks = np.random.default_rng(1).integers(5, len(PIECES), (32, 16), dtype=np.uint16)
        blocks[:, 0], blocks[:, -1] = 2, 3
        np.save(folder / f"{split}.npy", blocks)
    (folder.parent / "task_texts").mkdir()
    np.save(folder.parent / "task_texts/train.npy", blocks[:0])


def link(project: Path, bert: Path, *models: str) -> None:
    """Put the checkpoint in the place of each of the models."""
    for model in models:
        (project / model).parent.mkdir(parents=True, exist_ok=True)
        (project / model).symlink_to(bert)


def test_a_task_with_longer_inputs_than_the_checkpoint_has_positions_is_refused(project: Path, bert: Path):
    data = project / "data/tasks/library"
    data.mkdir(parents=True)
    rows = [{"text": "a b", "text_pair": None, "label": label} for label in ("bad", "good")]
    for split in ("train", "validation", "test"):
        write_rows(data / f"{split}.parquet", rows, SCHEMA)
    write_labels(data, ["bad", "good"])
    link(project, bert, "models/teacher")
    edit(project, {"tasks.library.encoding": {"max_length": 33}})
    text = refused(stage_here(project, "finetune_teacher@library"), "finetune_teacher@library")
    assert text == "params.yaml: tasks.library.encoding.max_length is 33, expected at most 32, the model's positions"
    assert leftovers(project, "models/tasks/library/teacher") == []


def test_a_measured_length_above_the_positions_of_the_checkpoint_is_refused(project: Path, bert: Path):
    link(project, bert, *(f"models/tasks/library/{name}" for name in ("teacher", "students/small", "onnx/small")))
    edit(project, {"measure.lengths": [33, 16]})
    text = refused(stage_here(project, "measure@library-small"), "measure@library-small")
    assert text == "params.yaml: a length of measure.lengths is 33, expected at most 32, the model's positions"
    assert leftovers(project, "reports/tasks/library/students/small/measure.json") == []


def pretrain(project: Path, *, steps: int, hidden_size: int = 12) -> set[str]:
    """Make what `distill` reads from a checkpoint without heads; return the heads of the pretrained teacher."""
    BertModel(CONFIG).save_pretrained("data/bert")
    edit(project, SOURCE | {"compute.threads": 1, "pretrain.steps": steps, "pretrain.length_doublings": 0,
                            "distill.steps": 1, "distill.losses.prediction": 0.5})  # fmt: skip
    run_initialize()
    write_blocks(Path("data/packed"))
    run_well(project, "pretrain")
    student = STUDENT | {"hidden_size": hidden_size, "keep_layers": [0, 2]}
    edit(project, {f"students.small.{key}": value for key, value in student.items()})
    run_well(project, "shrink@small")
    run_well(project, "gather")
    names = load_file("models/teacher/model.safetensors")
    return {name.split(".")[1] for name in names if name.startswith("cls.")}


def test_predictions_of_an_mlm_head_that_pretraining_has_trained_are_distilled(project: Path, source: Path):
    assert pretrain(project, steps=1) == {"predictions", "seq_relationship"}
    run_well(project, "distill@small")


def test_predictions_of_a_teacher_without_an_mlm_head_are_not_distilled(project: Path, source: Path):
    assert pretrain(project, steps=0) == {"seq_relationship"}
    assert refused(stage_here(project, "distill@small"), "distill@small") == (
        "losses.prediction is 0.5, but the teacher's checkpoint has no MLM head to learn from; "
        "expected 0, or a teacher that was pretrained with one"
    )
    edit(project, {"distill.losses.prediction": 0, "distill.losses.hard": 0.5})
    assert refused(stage_here(project, "distill@small"), "distill@small").startswith(
        "losses.hard is 0.5, but the teacher's"
    )
    assert leftovers(project, "models/students", "reports/distill") == []
    edit(project, {"distill.losses.hard": 0})
    run_well(project, "distill@small")


def test_relation_heads_that_do_not_divide_the_width_of_the_checkpoint_are_refused(project: Path, source: Path):
    student = {"students.small.hidden_size": 8, "students.small.intermediate_size": 7}
    edit(project, student | {"distill.losses.relation": 0.5, "distill.losses.relation_heads": 8})
    pretrain(project, steps=1, hidden_size=8)
    assert refused(stage_here(project, "distill@small"), "distill@small") == (
        "losses.relation_heads is 8, but the student's hidden_size is 8 and the teacher's 12; "
        "expected a number that divides both"
    )
    assert leftovers(project, "models/students", "reports/distill") == []
