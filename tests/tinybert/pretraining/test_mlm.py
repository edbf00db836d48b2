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
from transformers import BertForPreTraining, BertModel, BertTokenizer

from tests.tiny_bert import BLOCKS, MASKING, same_weights
from tinybert.model.checkpoint import has_mlm_head, load_checkpoint
from tinybert.model.inputs import Batch
from tinybert.pretraining import mlm
from tinybert.pretraining.masking import growing_length, mask_blocks, masked_batch, masking_for
from tinybert.pretraining.mlm import MaskedLanguageModeling, encode_blocks, heldout_mlm_scores, masked_logits, pretrain
from tinybert.training.loop import train

CPU = torch.device("cpu")
UNMASKED = dataclasses.replace(MASKING, probability=0.0)
SIX = np.arange(5, 5 + 6 * 12, dtype=np.uint16).reshape(6, 12)  # blocks


def test_two_documents_in_one_block_have_the_hidden_states_that_each_has_alone(teacher: Any, batch: Batch):
    packed, ids = encode_blocks(teacher.bert, batch), batch["input_ids"]
    for row, start, end in ((0, 0, 9), (0, 9, 16), (1, 0, 16)):
        alone = teacher.bert(input_ids=ids[row : row + 1, start:end]).last_hidden_state
        torch.testing.assert_close(packed[row : row + 1, start:end], alone, atol=1e-5, rtol=0)
    other = batch | {"input_ids": ids.clone()}
    other["input_ids"][0, 10:15] = 77
    assert torch.equal(encode_blocks(teacher.bert, other)[0, :9], packed[0, :9])


def test_logits_at_masked_positions_are_those_of_the_whole_model(teacher: Any, batch: Batch):
    outputs = teacher(input_ids=batch["input_ids"], position_ids=batch["position_ids"], attention_mask=batch["visible"])
    expected = outputs.prediction_logits.flatten(0, 1)[batch["predicted"]]
    assert len(expected) > 2
    torch.testing.assert_close(masked_logits(teacher, batch), expected, atol=1e-5, rtol=1e-5)


def test_targets_are_the_original_tokens_at_the_masked_positions(batch: Batch):
    ids = torch.from_numpy(BLOCKS.astype(np.int64)).flatten()
    assert torch.equal(batch["targets"], ids[batch["predicted"]])
    changed = (batch["input_ids"].flatten() != ids).nonzero().squeeze(1)
    assert set(changed.tolist()) <= set(batch["predicted"].tolist())
    assert batch["position_ids"].tolist() == [[*range(9), *range(7)], [*range(16)]]
    assert batch["tokens"] == 32


def test_the_loss_is_the_cross_entropy_and_the_unused_heads_get_no_gradient(teacher: Any, batch: Batch):
    loss = MaskedLanguageModeling(teacher)(batch)["loss"]
    assert torch.equal(loss, F.cross_entropy(masked_logits(teacher, batch), batch["targets"]))
    loss.backward()
    frozen = {name.rpartition(".")[0] for name, weight in teacher.named_parameters() if weight.grad is None}
    assert frozen == {"bert.pooler.dense", "cls.seq_relationship"}


def test_the_loss_of_no_masked_token_is_zero_and_so_are_its_gradients(teacher: Any):
    loss = MaskedLanguageModeling(teacher)(mask_blocks(BLOCKS, masking=UNMASKED, position=(1, 2), device=CPU))["loss"]
    assert loss.item() == 0.0
    loss.backward()
    assert all(weight.grad is None or not weight.grad.any() for weight in teacher.parameters())


def test_a_step_has_the_same_rows_and_masks_whenever_it_is_computed():
    steps = [masked_batch(SIX, step, batch_size=4, seed=8, masking=MASKING, device=CPU) for step in (7, 3, 7)]
    assert all(torch.equal(steps[0][name], steps[2][name]) for name in steps[0])
    assert not torch.equal(steps[0]["input_ids"], steps[1]["input_ids"])


def test_a_step_of_short_sequences_has_the_tokens_of_one_of_long_ones():
    options: dict[str, Any] = {"batch_size": 4, "seed": 8, "masking": UNMASKED, "device": CPU}
    whole, short = masked_batch(SIX, 3, **options)["input_ids"], masked_batch(SIX, 3, **options, length=3)
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


def test_pretraining_is_training_on_masked_batches_of_growing_length(teacher: Any, tokenizer: Any, accelerator: Any):
    reference = deepcopy(teacher)
    options: dict[str, Any] = {"steps": 4, "learning_rate": 0.01, "warmup": 0.0, "weight_decay": 0.1, "seed": 8,
                               "accelerator": accelerator}  # fmt: skip
    curve = pretrain(teacher, BLOCKS, tokenizer=tokenizer, batch_size=2, mask_probability=0.4, length_doublings=1,
                     **options)  # fmt: skip
    done = train(MaskedLanguageModeling(reference), **options, batches=lambda step: masked_batch(
        BLOCKS, step, batch_size=2, seed=8, masking=MASKING, device=CPU, length=8 if step < 2 else 16))  # fmt: skip
    assert list(done) == [row["step"] for row in curve] == [1, 2, 3, 4]
    assert same_weights(teacher, reference) and not teacher.training


@pytest.mark.parametrize("steps", [0, 1])
def test_a_random_mlm_head_is_trained_after_pretraining(config: Any, tokenizer: Any, tmp_path: Path, steps: int):
    BertModel(config).save_pretrained(tmp_path)
    model = load_checkpoint(tmp_path)
    pretrain(model, BLOCKS, tokenizer=tokenizer, steps=steps, batch_size=1, accelerator=Accelerator(cpu=True))
    assert has_mlm_head(model) == (steps > 0)


HELDOUT = np.pad(np.random.default_rng(1).integers(5, 99, (7, 22)), ((0, 0), (1, 1)), constant_values=((2, 3),) * 2)


def by_hand(model: BertForPreTraining, blocks: np.ndarray, *, batch_size: int) -> dict[str, float]:
    """Token by token, from the whole model's probabilities."""
    masking, losses, correct = dataclasses.replace(MASKING, probability=0.15), [], []
    for start in range(0, len(blocks), batch_size):
        batch = mask_blocks(blocks[start : start + batch_size], masking=masking, position=(0, start), device=CPU)
        logits = model(input_ids=batch["input_ids"]).prediction_logits.flatten(0, 1)
        for place, target in zip(batch["predicted"].tolist(), batch["targets"].tolist(), strict=True):
            probabilities = logits[place].softmax(-1)
            losses.append(-probabilities[target].log().item())
            correct.append(probabilities.argmax().item() == target)
    assert len(correct) > 5
    return {"loss": sum(losses) / len(losses), "accuracy": sum(correct) / len(correct)}


@pytest.mark.parametrize(("batch_size", "limit"), [(2, 512), (7, 512), (20, 5)])
def test_heldout_scores_are_means_over_masked_tokens_of_the_first_blocks(
    teacher: Any, tokenizer: BertTokenizer, batch_size: int, limit: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mlm, "HELDOUT_BATCH", batch_size)
    monkeypatch.setattr(mlm, "HELDOUT_BLOCKS", limit)
    scores = heldout_mlm_scores(teacher, HELDOUT, tokenizer=tokenizer)
    assert scores == pytest.approx(by_hand(teacher, HELDOUT[:limit], batch_size=batch_size), abs=2e-5)


@pytest.mark.parametrize("token", [50, 0])  # 0 is never masked
def test_a_known_token_scores_one_and_no_masked_token_zero(teacher: Any, tokenizer: BertTokenizer, token: int):
    with torch.no_grad():
        teacher.cls.predictions.bias[50] = 100.0
    blocks = np.array([[2, *[token] * 36, 3]], dtype=np.uint16)
    expected = {"loss": 0.0, "accuracy": float(token == 50)}
    assert heldout_mlm_scores(teacher, blocks, tokenizer=tokenizer) == expected
