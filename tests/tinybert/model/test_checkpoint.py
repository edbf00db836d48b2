"""Checkpoints come back with the same bytes, or are refused with the reason."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertForTokenClassification, BertModel

from tests.tiny_bert import CONFIG
from tinybert.errors import InputError
from tinybert.model.checkpoint import (
    has_mlm_head,
    label_config,
    load_checkpoint,
    load_with_head,
    require_positions,
    save,
    set_dropout,
)
from tinybert.model.initialization import random_bert

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(teacher: BertForPreTraining, tmp_path: Path) -> Path:
    save(teacher, tmp_path / "bert")
    return tmp_path / "bert"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_checkpoint(folder)
    return str(caught.value)


def same(a: nn.Module, b: nn.Module) -> bool:
    weights = b.state_dict()
    return all(torch.equal(weight, weights[name]) for name, weight in a.state_dict().items())


def test_a_checkpoint_is_saved_as_it_was_loaded_byte_for_byte(folder: Path, tmp_path: Path):
    save(load_checkpoint(folder), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)
    assert set(contents(folder)) == {"config.json", WEIGHTS}


def test_a_checkpoint_in_half_precision_becomes_float32(teacher: BertForPreTraining, tmp_path: Path):
    save(teacher.bfloat16(), tmp_path)
    loaded = load_checkpoint(tmp_path)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    assert same(loaded, teacher.float())


def test_heads_that_are_missing_are_drawn_from_the_seed(teacher: BertForPreTraining, tmp_path: Path):
    BertModel(BertConfig.from_dict(CONFIG), add_pooling_layer=False).save_pretrained(tmp_path)
    model, again, other = (load_checkpoint(tmp_path, seed=seed) for seed in (5, 5, 6))
    assert same(model, again) and same(model.bert.encoder, other.bert.encoder)
    assert not torch.equal(model.cls.seq_relationship.weight, other.cls.seq_relationship.weight)


def test_a_masked_language_model_keeps_its_head(tmp_path: Path):
    model = BertForMaskedLM(BertConfig.from_dict(CONFIG))
    torch.nn.init.normal_(model.cls.predictions.bias)
    model.save_pretrained(tmp_path)
    assert same(load_checkpoint(tmp_path).cls.predictions, model.cls.predictions)


@pytest.mark.parametrize(("head", "has"), [(BertForMaskedLM, True), (BertForPreTraining, True), (BertModel, False)])
def test_whether_a_checkpoint_had_an_mlm_head_is_known(tmp_path: Path, head: Any, has: bool):
    head(BertConfig.from_dict(CONFIG)).save_pretrained(tmp_path)
    assert has_mlm_head(load_checkpoint(tmp_path)) == has


def test_a_random_mlm_head_can_be_left_out(folder: Path, tmp_path: Path):
    model = load_checkpoint(folder)
    save(model, tmp_path / "again", head=False)
    left_out = load_file(folder / WEIGHTS).keys() - load_file(tmp_path / "again" / WEIGHTS).keys()
    assert left_out == {name for name in load_file(folder / WEIGHTS) if name.startswith("cls.predictions.")}
    assert contents(tmp_path / "again")["config.json"] == contents(folder)["config.json"]
    assert same(BertForPreTraining.from_pretrained(tmp_path / "again").bert, model.bert)
    assert not has_mlm_head(load_checkpoint(tmp_path / "again"))


def test_a_task_head_is_drawn_from_the_seed_above_the_weights_of_the_checkpoint(
    teacher: BertForPreTraining, tmp_path: Path
):
    save(teacher.bfloat16(), tmp_path)
    options = label_config(["good", "bad", "so-so"])
    model, again, other = (load_with_head(BertForTokenClassification, tmp_path, seed=n, **options) for n in (5, 5, 6))
    assert same(model, again) and same(model.bert, teacher.float().bert)
    assert not torch.equal(model.classifier.weight, other.classifier.weight)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.config.id2label == {0: "good", 1: "bad", 2: "so-so"}
    assert model.config.label2id == {"good": 0, "bad": 1, "so-so": 2}


def test_a_folder_without_a_configuration_is_refused(folder: Path):
    (folder / "config.json").unlink()
    assert refusal(folder) == f"{folder}: no config.json in it, so this is no checkpoint"


def test_a_configuration_that_is_not_json_is_refused(folder: Path):
    (folder / "config.json").write_text("{")
    assert refusal(folder).startswith(f"{folder}/config.json: not valid JSON: ")


@pytest.mark.parametrize("kind", ["roberta", "distilbert", None])
def test_another_architecture_is_refused(folder: Path, kind: str | None):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": kind}))
    assert refusal(folder) == f"{folder}/config.json: model_type is {kind!r}, expected 'bert'"


def test_pickled_weights_alone_are_refused_and_not_opened(folder: Path):
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    assert refusal(folder) == f"{folder}: no model.safetensors in it; weights in other formats are not read"


@pytest.mark.parametrize("kept", [0, 5, 0.5, 0.999])
def test_truncated_weights_are_refused(folder: Path, kept: float):
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert refusal(folder).startswith(f"{folder}/{WEIGHTS}: the weights cannot be read: ")


def test_weights_of_the_encoder_that_are_missing_are_named(folder: Path):
    weights = load_file(folder / WEIGHTS)
    gone = ("bert.encoder.layer.3.output.dense.weight", "bert.embeddings.LayerNorm.bias")
    save_file({k: v for k, v in weights.items() if k not in gone}, folder / WEIGHTS, {"format": "pt"})
    assert refusal(folder) == (
        f"{folder}: the checkpoint lacks 2 of BERT's weights, the first is bert.embeddings.LayerNorm.bias"
    )


def test_weights_of_another_shape_are_refused(folder: Path):
    weights = load_file(folder / WEIGHTS)
    name = "bert.encoder.layer.2.output.dense.weight"
    save_file(weights | {name: torch.zeros(36, 50)}, folder / WEIGHTS, {"format": "pt"})
    assert refusal(folder) == f"{folder}: {name} has shape [36, 50], expected [36, 52] by config.json"


def test_a_random_bert_is_a_function_of_its_seed():
    shape: dict[str, Any] = {key: value for key, value in CONFIG.items() if "dropout" not in key}
    assert same(random_bert(seed=4, **shape), random_bert(seed=4, **shape))
    assert not same(random_bert(seed=4, **shape), random_bert(seed=5, **shape))


def test_the_position_embeddings_of_a_random_bert_are_sinusoids():
    sizes = {"vocab_size": 9, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 5}
    model = random_bert(seed=4, hidden_size=4, max_position_embeddings=3, **sizes)
    frequencies = (1.0, 0.01)  # 10000^0 and 10000^(-2/4)
    waves = [[wave(n * f) for f in frequencies for wave in (math.sin, math.cos)] for n in range(3)]
    positions = model.bert.embeddings.position_embeddings.weight
    torch.testing.assert_close(positions, torch.tensor(waves) * 0.02 * math.sqrt(2))


def test_dropout_is_set_everywhere_but_on_attention(teacher: BertForPreTraining):
    set_dropout(teacher, hidden=0.3)
    rates = {name: module.p for name, module in teacher.named_modules() if isinstance(module, nn.Dropout)}
    assert {rate for name, rate in rates.items() if name.endswith("attention.self.dropout")} == {0.0}
    assert {rate for name, rate in rates.items() if not name.endswith("attention.self.dropout")} == {0.3}
    assert len(rates) == 1 + 3 * 5


def test_sequences_longer_than_the_positions_are_refused(teacher: BertForPreTraining):
    require_positions(40, teacher.config, key="a.b")
    with pytest.raises(InputError, match="^a.b is 41, expected at most 40, the model's positions$"):
        require_positions(41, teacher.config, key="a.b")
