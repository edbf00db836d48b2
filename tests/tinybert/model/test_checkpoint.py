"""Checkpoints come back with the same bytes."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertForTokenClassification, BertModel

from tests.tiny_bert import CONFIG, INPUTS, same_weights
from tinybert.errors import InputError
from tinybert.model import checkpoint
from tinybert.model.checkpoint import (
    double_token_type,
    has_mlm_head,
    label_config,
    load_checkpoint,
    load_with_head,
    save,
)
from tinybert.model.initialization import random_bert

WEIGHTS = "model.safetensors"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_checkpoint_is_saved_as_it_was_loaded_byte_for_byte(teacher: BertForPreTraining, tmp_path: Path):
    save(teacher, tmp_path / "bert")
    save(load_checkpoint(tmp_path / "bert"), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "bert")
    assert set(contents(tmp_path / "bert")) == {"config.json", WEIGHTS}


def test_a_checkpoint_in_half_precision_becomes_float32(teacher: BertForPreTraining, tmp_path: Path):
    save(teacher.bfloat16(), tmp_path)
    loaded = load_checkpoint(tmp_path)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    assert same_weights(loaded, teacher.float())


def test_a_second_token_type_changes_no_output(config: BertConfig, tmp_path: Path):
    config.type_vocab_size = 1
    torch.manual_seed(1)
    model = BertForPreTraining(config).eval()
    before = model(**INPUTS).seq_relationship_logits
    double_token_type(model)
    save(model, tmp_path)
    loaded = load_checkpoint(tmp_path).eval()
    assert loaded.config.type_vocab_size == 2
    for token_type in (0, 1):
        types = torch.full_like(INPUTS["input_ids"], token_type)
        assert torch.equal(loaded(**INPUTS, token_type_ids=types).seq_relationship_logits, before)


def test_heads_that_are_missing_are_drawn_from_the_seed(config: BertConfig, tmp_path: Path):
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    model, again, other = (load_checkpoint(tmp_path, seed=seed) for seed in (5, 5, 6))
    assert same_weights(model, again) and same_weights(model.bert.encoder, other.bert.encoder)
    assert not torch.equal(model.cls.seq_relationship.weight, other.cls.seq_relationship.weight)


@pytest.mark.parametrize("head", [BertForMaskedLM, BertForPreTraining, BertModel])
def test_an_mlm_head_is_kept_and_whether_there_was_one_is_known(tmp_path: Path, config: BertConfig, head: Any):
    model = head(config)
    for weight in model.parameters():
        nn.init.normal_(weight)
    model.save_pretrained(tmp_path)
    loaded = load_checkpoint(tmp_path)
    assert has_mlm_head(loaded) == (head is not BertModel)
    assert head is BertModel or same_weights(loaded.cls.predictions, model.cls.predictions)


def test_a_random_mlm_head_can_be_left_out(teacher: BertForPreTraining, tmp_path: Path):
    for name, head in (("with", True), ("without", False)):
        save(teacher, tmp_path / name, head=head)
    whole, rest = (load_file(tmp_path / name / WEIGHTS) for name in ("with", "without"))
    assert whole.keys() - rest.keys() == {name for name in whole if name.startswith("cls.predictions.")}
    assert contents(tmp_path / "without")["config.json"] == contents(tmp_path / "with")["config.json"]
    again = load_checkpoint(tmp_path / "without")
    assert same_weights(again.bert, teacher.bert) and not has_mlm_head(again)


def test_a_task_head_is_drawn_from_the_seed_above_the_weights(teacher: BertForPreTraining, tmp_path: Path):
    save(teacher.bfloat16(), tmp_path)
    options = label_config(["good", "bad", "so-so"])
    model, again, other = (load_with_head(BertForTokenClassification, tmp_path, seed=n, **options) for n in (5, 5, 6))
    assert same_weights(model, again) and same_weights(model.bert, teacher.float().bert)
    assert not torch.equal(model.classifier.weight, other.classifier.weight)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.config.id2label == {0: "good", 1: "bad", 2: "so-so"}
    assert model.config.label2id == {"good": 0, "bad": 1, "so-so": 2}


def test_a_random_bert_is_a_function_of_its_seed():
    shape: dict[str, Any] = {key: value for key, value in CONFIG.items() if "dropout" not in key}
    assert same_weights(random_bert(seed=4, **shape), random_bert(seed=4, **shape))
    assert not same_weights(random_bert(seed=4, **shape), random_bert(seed=5, **shape))


def test_the_position_embeddings_of_a_random_bert_are_sinusoids():
    sizes = {"vocab_size": 9, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 5}
    model = random_bert(seed=4, hidden_size=4, max_position_embeddings=3, **sizes)
    frequencies = (1.0, 0.01)  # 10000^0 and 10000^(-2/4)
    waves = [[wave(n * f) for f in frequencies for wave in (math.sin, math.cos)] for n in range(3)]
    positions = model.bert.embeddings.position_embeddings.weight
    torch.testing.assert_close(positions, torch.tensor(waves) * 0.02 * math.sqrt(2))


def test_dropout_is_set_everywhere_but_on_attention(teacher: BertForPreTraining):
    checkpoint.set_dropout(teacher, hidden=0.3)
    rates = {name: module.p for name, module in teacher.named_modules() if isinstance(module, nn.Dropout)}
    assert rates == {name: 0.0 if name.endswith("attention.self.dropout") else 0.3 for name in rates}
    assert len(rates) == 1 + 3 * 5


def test_sequences_longer_than_the_positions_are_refused(teacher: BertForPreTraining):
    checkpoint.require_positions(40, teacher.config, key="a.b")
    with pytest.raises(InputError, match="^a.b is 41, expected at most 40, the model's positions$"):
        checkpoint.require_positions(41, teacher.config, key="a.b")
