"""Held-out MLM loss and accuracy, computed by hand."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForPreTraining, BertTokenizer

from tinybert.pretraining import mlm
from tinybert.pretraining.masking import Masking, mask_blocks
from tinybert.pretraining.mlm import heldout_mlm_scores

CPU = torch.device("cpu")
BLOCKS = np.concatenate(
    [np.full((7, 1), 2), np.random.default_rng(1).integers(5, 99, (7, 22)), np.full((7, 1), 3)], axis=1
).astype(np.uint16)


@pytest.fixture
def model(config: BertConfig) -> BertForPreTraining:
    torch.manual_seed(2)
    return BertForPreTraining(config)


def by_hand(model: BertForPreTraining, blocks: np.ndarray, *, batch_size: int) -> dict[str, float]:
    """Token by token, from the whole model's probabilities."""
    model.eval()
    masking = Masking(0.15, False, torch.zeros(99, dtype=torch.bool), range(5), 2, 4)
    losses, correct = [], []
    for start in range(0, len(blocks), batch_size):
        batch = mask_blocks(blocks[start : start + batch_size], masking=masking, position=(0, start), device=CPU)
        logits = model(input_ids=batch["input_ids"]).prediction_logits.flatten(0, 1)
        for place, target in zip(batch["predicted"].tolist(), batch["targets"].tolist(), strict=True):
            probabilities = logits[place].softmax(-1)
            losses.append(-probabilities[target].log().item())
            correct.append(probabilities.argmax().item() == target)
    assert len(correct) > 5
    return {"loss": sum(losses) / len(losses), "accuracy": sum(correct) / len(correct)}


@pytest.mark.parametrize("batch_size", [2, 7, 20])
def test_loss_and_accuracy_are_means_over_masked_tokens(
    model: BertForPreTraining, tokenizer: BertTokenizer, batch_size: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mlm, "HELDOUT_BATCH", batch_size)
    scores = heldout_mlm_scores(model, BLOCKS, tokenizer=tokenizer)
    assert scores == pytest.approx(by_hand(model, BLOCKS, batch_size=batch_size), abs=2e-5)


def test_a_model_that_knows_the_token_scores_one(model: BertForPreTraining, tokenizer: BertTokenizer):
    blocks = np.array([[2, *[50] * 36, 3]], dtype=np.uint16)
    with torch.no_grad():
        model.cls.predictions.bias[50] = 100.0
    assert heldout_mlm_scores(model, blocks, tokenizer=tokenizer) == {"loss": 0.0, "accuracy": 1.0}


def test_no_more_than_the_limit_of_blocks_are_evaluated(
    model: BertForPreTraining, tokenizer: BertTokenizer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mlm, "HELDOUT_BLOCKS", 5)
    scores = heldout_mlm_scores(model, BLOCKS, tokenizer=tokenizer)
    assert scores == heldout_mlm_scores(model, BLOCKS[:5], tokenizer=tokenizer)


def test_blocks_without_a_masked_token_score_zero(model: BertForPreTraining, tokenizer: BertTokenizer):
    blocks = np.array([[2, 0, 0, 3]], dtype=np.uint16)
    assert heldout_mlm_scores(model, blocks, tokenizer=tokenizer) == {"loss": 0.0, "accuracy": 0.0}
