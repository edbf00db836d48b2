"""Packed blocks: documents do not attend to each other, and masked logits are those of the whole model."""

import dataclasses
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.nn import functional as F
from transformers import BertConfig, BertForPreTraining, BertModel, BertTokenizer

from tinybert.model.checkpoint import has_mlm_head, load_checkpoint
from tinybert.pretraining.masking import Masking, growing_length, mask_blocks, masked_batch, masking_for
from tinybert.pretraining.mlm import MaskedLanguageModeling, encode_blocks, masked_logits, pretrain
from tinybert.training.loop import train

CPU = torch.device("cpu")
CLS, SEP, MASK = 2, 3, 4
FIRST, SECOND, THIRD = [CLS, *range(10, 17), SEP], [CLS, *range(40, 45), SEP], [CLS, *range(60, 74), SEP]
BLOCKS = np.array([FIRST + SECOND, THIRD], dtype=np.uint16)
MASKING = Masking(0.4, False, torch.zeros(99, dtype=torch.bool), range(5), CLS, MASK)


@pytest.fixture
def model(config: BertConfig) -> BertForPreTraining:
    torch.manual_seed(2)
    model = BertForPreTraining(config)
    for weight in model.parameters():  # biases too, which start at 0
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    return mask_blocks(BLOCKS, masking=MASKING, position=(1, 2), device=CPU)


def test_two_documents_in_one_block_have_the_hidden_states_that_each_has_alone(model, batch):
    packed = encode_blocks(model.bert, batch)
    ids = batch["input_ids"]
    for row, start, end in ((0, 0, 9), (0, 9, 16), (1, 0, 16)):
        alone = model.bert(input_ids=ids[row : row + 1, start:end]).last_hidden_state
        torch.testing.assert_close(packed[row : row + 1, start:end], alone, atol=1e-5, rtol=0)


def test_a_document_does_not_depend_on_its_neighbour(model, batch):
    other = dict(batch) | {"input_ids": batch["input_ids"].clone()}
    other["input_ids"][0, 10:15] = 77
    assert torch.equal(encode_blocks(model.bert, other)[0, :9], encode_blocks(model.bert, batch)[0, :9])


def test_logits_at_masked_positions_are_those_of_the_whole_model(model, batch):
    outputs = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], attention_mask=batch["visible"])
    expected = outputs.prediction_logits.flatten(0, 1)[batch["predicted"]]
    assert len(expected) > 2
    torch.testing.assert_close(masked_logits(model, batch), expected, atol=1e-5, rtol=1e-5)


def test_targets_are_the_original_tokens_at_the_masked_positions(batch):
    ids = torch.from_numpy(BLOCKS.astype(np.int64)).flatten()
    assert torch.equal(batch["targets"], ids[batch["predicted"]])
    changed = (batch["input_ids"].flatten() != ids).nonzero().squeeze(1)
    assert set(changed.tolist()) <= set(batch["predicted"].tolist())
    assert batch["position_ids"].tolist() == [[*range(9), *range(7)], [*range(16)]]
    assert batch["tokens"] == 32


def test_the_loss_is_the_cross_entropy_and_the_unused_heads_get_no_gradient(model, batch):
    objective = MaskedLanguageModeling(model)
    loss = objective(batch)["loss"]
    assert torch.equal(loss, F.cross_entropy(masked_logits(model, batch), batch["targets"]))
    loss.backward()
    frozen = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert frozen == {
        "bert.pooler.dense.weight", "bert.pooler.dense.bias", "cls.seq_relationship.weight", "cls.seq_relationship.bias"
    }  # fmt: skip


def test_the_loss_of_no_masked_token_is_zero_and_so_are_its_gradients(model):
    masking = dataclasses.replace(MASKING, probability=0.0)
    loss = MaskedLanguageModeling(model)(mask_blocks(BLOCKS, masking=masking, position=(1, 2), device=CPU))["loss"]
    assert loss.item() == 0.0
    loss.backward()
    assert all(weight.grad is None or not weight.grad.any() for weight in model.parameters())


def test_a_step_has_the_same_rows_and_masks_whenever_it_is_computed():
    blocks = np.arange(5, 5 + 6 * 12, dtype=np.uint16).reshape(6, 12)
    steps = [masked_batch(blocks, step, batch_size=4, seed=8, masking=MASKING, device=CPU) for step in (7, 3, 7)]
    assert all(torch.equal(steps[0][name], steps[2][name]) for name in steps[0])
    assert not torch.equal(steps[0]["input_ids"], steps[1]["input_ids"])


def test_a_step_of_short_sequences_has_the_tokens_of_one_of_long_ones():
    blocks = np.arange(5, 5 + 6 * 12, dtype=np.uint16).reshape(6, 12)
    masking = dataclasses.replace(MASKING, probability=0.0)
    options: dict[str, Any] = {"batch_size": 4, "seed": 8, "masking": masking, "device": CPU}
    whole = masked_batch(blocks, 3, **options)["input_ids"]
    short = masked_batch(blocks, 3, **options, length=3)
    assert torch.equal(short["input_ids"], whole.reshape(16, 3))
    assert short["visible"].shape == (16, 1, 3, 3)


def test_the_length_doubles_after_equal_shares_of_the_steps():
    lengths = [growing_length(step, steps=8, longest=32, doublings=3) for step in range(8)]
    assert lengths == [4, 4, 8, 8, 16, 16, 32, 32]
    assert [growing_length(step, steps=3, longest=32, doublings=0) for step in range(3)] == [32] * 3


def test_the_masking_of_a_vocabulary():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "b", "##b"]
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    masking = masking_for(tokenizer, probability=0.3, whole_words=True, vocab_size=12)
    assert masking.continues_word_V.tolist() == [n in (6, 8) for n in range(12)]
    assert sorted(masking.special_ids) == [0, 1, 2, 3, 4, 9, 10, 11]  # the model's unused entries are never drawn
    assert (masking.cls_id, masking.mask_id, masking.probability, masking.whole_words) == (2, 4, 0.3, True)


def test_pretraining_is_training_on_masked_batches_of_growing_length(
    model: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator
):
    reference = deepcopy(model)
    curve = pretrain(
        model, BLOCKS, tokenizer=tokenizer, steps=4, batch_size=2, learning_rate=0.01, warmup=0.0, weight_decay=0.1,
        mask_probability=0.4, length_doublings=1, seed=8, accelerator=accelerator,
    )  # fmt: skip
    done = train(
        MaskedLanguageModeling(reference), steps=4, learning_rate=0.01, warmup=0.0, weight_decay=0.1, seed=8,
        accelerator=accelerator, batches=lambda step: masked_batch(
            BLOCKS, step, batch_size=2, seed=8, masking=MASKING, device=CPU, length=8 if step < 2 else 16),
    )  # fmt: skip
    assert list(done) == [row["step"] for row in curve] == [1, 2, 3, 4]
    expected = reference.state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in model.state_dict().items())
    assert not model.training


@pytest.mark.parametrize("steps", [0, 1])
def test_a_random_mlm_head_counts_as_trained_after_pretraining(
    config: BertConfig, tokenizer: BertTokenizer, accelerator: Accelerator, tmp_path: Path, steps: int
):
    BertModel(config).save_pretrained(tmp_path)
    model = load_checkpoint(tmp_path)
    pretrain(model, BLOCKS, tokenizer=tokenizer, steps=steps, batch_size=1, accelerator=accelerator)
    assert has_mlm_head(model) == (steps > 0)
