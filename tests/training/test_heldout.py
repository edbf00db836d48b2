"""Masked words of held-out blocks, counted by hand."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForPreTraining

from stages.training import heldout
from stages.training.blocks import Masking, mask_blocks

CPU = torch.device("cpu")
BLOCKS = np.concatenate(
    [np.full((7, 1), 2), np.random.default_rng(1).integers(5, 99, (7, 22)), np.full((7, 1), 3)], axis=1
).astype(np.uint16)
MASKING = Masking(0.9, True, torch.zeros(99, dtype=torch.bool), range(5), 2, 4)


@pytest.fixture
def model(config: BertConfig) -> BertForPreTraining:
    torch.manual_seed(2)
    return BertForPreTraining(config)


def by_hand(model: BertForPreTraining, blocks: np.ndarray, *, batch_size: int) -> dict[str, float]:
    """Word by word, from the whole model's probabilities."""
    model.eval()
    masking = Masking(0.15, False, MASKING.continues_word_V, range(5), 2, 4)
    surprise, right = [], []
    for start in range(0, len(blocks), batch_size):
        batch = mask_blocks(blocks[start : start + batch_size], masking=masking, position=(0, start), device=CPU)
        logits = model(input_ids=batch["input_ids"]).prediction_logits.flatten(0, 1)
        for place, target in zip(batch["predicted"].tolist(), batch["targets"].tolist(), strict=True):
            probabilities = logits[place].softmax(-1)
            surprise.append(-probabilities[target].log().item())
            right.append(probabilities.argmax().item() == target)
    assert len(right) > 5
    return {"loss": sum(surprise) / len(surprise), "accuracy": sum(right) / len(right)}


@pytest.mark.parametrize("batch_size", [2, 7, 20])
def test_loss_and_accuracy_are_means_over_masked_words(
    model: BertForPreTraining, batch_size: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heldout, "BATCH", batch_size)
    found = heldout.masked_word_scores(model, BLOCKS, masking=MASKING, device=CPU)
    assert found == pytest.approx(by_hand(model, BLOCKS, batch_size=batch_size), abs=2e-5)


def test_a_model_that_knows_the_word_scores_one(model: BertForPreTraining):
    blocks = np.array([[2, *[50] * 36, 3]], dtype=np.uint16)
    with torch.no_grad():
        model.cls.predictions.bias[50] = 100.0
    found = heldout.masked_word_scores(model, blocks, masking=MASKING, device=CPU)
    assert found == {"loss": 0.0, "accuracy": 1.0}


def test_no_more_than_so_many_blocks_are_measured(model: BertForPreTraining, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heldout, "BLOCKS", 5)
    found = heldout.masked_word_scores(model, BLOCKS, masking=MASKING, device=CPU)
    assert found == heldout.masked_word_scores(model, BLOCKS[:5], masking=MASKING, device=CPU)


def test_blocks_in_which_no_word_is_masked_score_zero(model: BertForPreTraining):
    blocks = np.array([[2, 0, 0, 3]], dtype=np.uint16)
    assert heldout.masked_word_scores(model, blocks, masking=MASKING, device=CPU) == {"loss": 0.0, "accuracy": 0.0}
