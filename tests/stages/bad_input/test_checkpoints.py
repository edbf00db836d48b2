"""Checkpoints that cannot be started from, and students that cannot be cut, as a user meets them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForPreTraining, BertModel, BertTokenizer

from stages import initialize, shrink
from stages.pipeline.stage import Run
from tests.stages.bad_input.project import edit, leftovers, refused, stage
from tinybert.errors import InputError
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.tables import write_labels, write_rows

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "##a", "##b"]
CONFIG = BertConfig(
    vocab_size=len(PIECES),
    max_position_embeddings=32,
    num_hidden_layers=3,
    hidden_size=12,
    num_attention_heads=2,
    intermediate_size=14,
)
SHAPE = {"vocab_size": 99, "lowercase": True, "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 2,
         "intermediate_size": 14, "max_position_embeddings": 32, "seed": 1}  # fmt: skip
RUN, SMALL = Run("", Path("unused")), Run("small", Path("unused"))


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("bert")
    BertForPreTraining(CONFIG).save_pretrained(folder)
    BertTokenizer(vocab={piece: number for number, piece in enumerate(PIECES)}).save_pretrained(folder)
    return folder


@pytest.fixture
def source(project: Path, bert: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in the project, where the test then is."""
    folder = project / "data/bert"
    folder.mkdir(parents=True)
    for file in bert.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(project)
    return folder


def message(*, scratch: dict[str, Any] | None = None) -> str:
    """What `initialize` says of data/bert."""
    given = {"initialize": {"source": "data/bert", "scratch": scratch}}
    with pytest.raises(InputError) as caught:
        initialize.main(initialize.Parameters.model_validate(given), RUN)
    assert leftovers(Path(), "models/tokenizer", "models/initial") == []
    return str(caught.value)


def test_nothing_is_wrong_with_the_checkpoint_that_is_spoilt_here(source: Path):
    given = {"initialize": {"source": "data/bert", "scratch": None}}
    initialize.main(initialize.Parameters.model_validate(given), RUN)
    assert (Path("models/initial") / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()


def test_the_script_says_that_a_checkpoint_is_not_bert(project: Path, source: Path):
    edit(project, {"initialize": {"source": "data/bert", "scratch": None}})
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    text = refused(stage(project, "initialize"), "initialize")
    assert text == "data/bert/config.json: model_type is 'gpt2', expected 'bert'"
    assert leftovers(project, "models/tokenizer", "models/initial") == []


def test_a_checkpoint_with_pickled_weights_alone_is_refused(source: Path):
    (source / "model.safetensors").unlink()
    torch.save({}, source / "pytorch_model.bin")
    assert message() == "data/bert: no model.safetensors in it; weights in other formats are not read"


def test_a_checkpoint_cut_off_while_it_was_copied_is_refused(source: Path):
    whole = (source / "model.safetensors").read_bytes()
    (source / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert message().startswith("data/bert/model.safetensors: the weights cannot be read: ")


def test_a_tokenizer_with_more_entries_than_embeddings_is_refused(source: Path):
    more = [*PIECES, "##c", "##d"]
    BertTokenizer(vocab={piece: number for number, piece in enumerate(more)}).save_pretrained(source)
    assert message() == (
        "data/bert: the tokenizer's ids go up to 34, the model's 33 embeddings to 32; they do not belong together"
    )


def test_a_tokenizer_that_skips_ids_is_refused(source: Path):
    ids = {piece: number for number, piece in enumerate(PIECES)} | {"##b": 40}
    BertTokenizer(vocab=ids).save_pretrained(source)
    assert message() == "data/bert: its vocabulary goes up to id 40, but no piece has id 32"


def test_a_checkpoint_without_a_tokenizer_is_refused(source: Path):
    (source / "tokenizer.json").unlink()
    assert message() == "data/bert holds no BERT tokenizer: neither tokenizer.json nor vocab.txt is there"


def test_a_shape_beside_a_checkpoint_is_refused(source: Path):
    assert message(scratch=SHAPE) == (
        "params.yaml: initialize.scratch: expected null, got a shape: data/bert is not a corpus, and a checkpoint "
        "brings its own shape and vocabulary"
    )


def test_the_script_says_that_a_checkpoint_has_fewer_layers_than_the_student(project: Path, bert: Path):
    (project / "models").mkdir()
    (project / "models/teacher").symlink_to(bert)
    small = {"hidden_size": 12, "num_attention_heads": 2, "intermediate_size": 7}
    edit(project, {"initialize": {"source": "data/bert", "scratch": None}})
    edit(project, {f"students.small.{key}": value for key, value in (small | {"num_hidden_layers": 4}).items()})
    text = refused(stage(project, "shrink@small"), "shrink@small")
    assert text == "num_hidden_layers is 4, but the teacher has 3 layers"
    assert leftovers(project, "models/shrunk") == []


def a_task(project: Path, bert: Path, *models: str) -> None:
    """What `prepare_task` and the stages before have made, where the checkpoint is each of the models."""
    data = project / "data/tasks/library"
    data.mkdir(parents=True)
    rows = [{"text": "a b", "text_pair": None, "label": label} for label in ("bad", "good")]
    for split in ("train", "validation", "test"):
        write_rows(data / f"{split}.parquet", rows, SCHEMA)
    write_labels(data, ["bad", "good"])
    for model in models:
        (project / model).parent.mkdir(parents=True, exist_ok=True)
        (project / model).symlink_to(bert)


def test_a_task_with_longer_inputs_than_the_checkpoint_has_positions_is_refused(project: Path, bert: Path):
    a_task(project, bert, "models/teacher")
    edit(project, {"tasks.library.encoding": {"max_length": 33}})
    text = refused(stage(project, "finetune_teacher@library"), "finetune_teacher@library")
    assert text == "params.yaml: tasks.library.encoding.max_length is 33, expected at most 32, the model's positions"
    assert leftovers(project, "models/tasks/library/teacher") == []


def test_a_length_to_measure_above_the_checkpoints_positions_is_refused(project: Path, bert: Path):
    a_task(project, bert, *(f"models/tasks/library/{name}" for name in ("teacher", "students/small", "onnx/small")))
    edit(project, {"measure.lengths": [33, 16]})
    text = refused(stage(project, "measure@library-small"), "measure@library-small")
    assert text == "params.yaml: a length of measure.lengths is 33, expected at most 32, the model's positions"
    assert leftovers(project, "reports/tasks/library/students/small/measure.json") == []


def test_a_student_wider_than_the_checkpoint_is_refused(project: Path, bert: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "models").mkdir()
    (project / "models/teacher").symlink_to(bert)
    monkeypatch.chdir(project)
    wide = {"hidden_size": 14, "num_attention_heads": 2, "intermediate_size": 15}
    given = {"student": {"num_hidden_layers": 2, "keep_layers": [0, 2]} | wide}
    with pytest.raises(InputError) as caught:
        shrink.main(shrink.Parameters.model_validate(given), SMALL)
    assert str(caught.value) == (
        "the student cannot be wider than its teacher: "
        "hidden_size is 14, the teacher's is 12; intermediate_size is 15, the teacher's is 14"
    )
    assert leftovers(project, "models/shrunk") == []


def pretrained(project: Path, *, steps: int) -> None:
    """What `distill` starts from: a checkpoint without heads, pretrained for `steps` steps, and a cut of it."""
    BertModel(CONFIG).save_pretrained("data/bert")
    edit(project, {"initialize": {"source": "data/bert", "scratch": None}, "compute.threads": 1})
    edit(project, {"pretrain.steps": steps, "pretrain.length_doublings": 0, "distill.steps": 1})
    initialize.main(initialize.Parameters.model_validate({"initialize": {"source": "data/bert", "scratch": None}}), RUN)
    Path("data/packed").mkdir()
    for split in ("train", "heldout"):
        blocks = np.random.default_rng(1).integers(5, len(PIECES), (32, 16), dtype=np.uint16)
        blocks[:, 0], blocks[:, -1] = 2, 3
        np.save(f"data/packed/{split}.npy", blocks)
    done = stage(project, "pretrain")
    assert done.returncode == 0, done.stderr
    small = {"num_hidden_layers": 2, "keep_layers": [0, 2], "hidden_size": 12, "num_attention_heads": 2}
    shrink.main(shrink.Parameters.model_validate({"student": small | {"intermediate_size": 7}}), SMALL)


def heads() -> set[str]:
    """Which of the pretraining heads models/teacher holds."""
    names = load_file("models/teacher/model.safetensors")
    return {name.split(".")[1] for name in names if name.startswith("cls.")}


def test_predictions_of_a_checkpoint_without_an_mlm_head_are_not_distilled(project: Path, source: Path):
    pretrained(project, steps=0)
    assert heads() == {"seq_relationship"}
    edit(project, {"distill.losses.prediction": 0.5})
    assert refused(stage(project, "distill@small"), "distill@small") == (
        "params.yaml: distill.losses.prediction is 0.5, but the teacher's checkpoint has no MLM head to learn from; "
        "expected 0, or a teacher that was pretrained with one"
    )
    assert leftovers(project, "models/students", "reports/distill") == []
    edit(project, {"distill.losses.prediction": 0})
    done = stage(project, "distill@small")
    assert done.returncode == 0, done.stderr


def test_predictions_of_a_head_that_pretraining_has_trained_are_distilled(project: Path, source: Path):
    pretrained(project, steps=1)
    assert heads() == {"predictions", "seq_relationship"}
    edit(project, {"distill.losses.prediction": 0.5})
    done = stage(project, "distill@small")
    assert done.returncode == 0, done.stderr
