"""Logits come in the order of the features and without padding, as if each was computed alone."""

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

from tinybert.finetuning import predict as prediction
from tinybert.finetuning.predict import predict
from tinybert.tasks.classification import model as classification
from tinybert.tasks.ner import model as ner

LENGTHS = [3, 11, 2, 7, 11, 5, 19, 2]


def features(**more: Any) -> list[dict]:
    return [
        {"input_ids": [2, *range(20 + n, 18 + n + length), 3], "token_type_ids": [0] * length}
        | {name: value(length) for name, value in more.items()}
        for n, length in enumerate(LENGTHS)
    ]


def model(head: Any, config: BertConfig) -> Any:
    built = head(config)
    for weight in built.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return built


@pytest.mark.parametrize("tokens", [1, 24, 8192])
def test_one_logit_for_each_class(
    config: BertConfig, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, tokens: int
):
    monkeypatch.setattr(prediction, "TOKENS", tokens)
    bert = model(BertForSequenceClassification, config)
    logits = predict(bert, features(label=lambda n: 0), classification, pad_token_id=0, accelerator=accelerator)
    assert not bert.training
    for logits_C, feature in zip(logits, features(), strict=True):
        alone = bert(input_ids=torch.tensor([feature["input_ids"]])).logits[0].detach()
        torch.testing.assert_close(torch.tensor(logits_C), alone, rtol=1e-5, atol=1e-5)


def test_one_logit_for_each_class_of_each_token(config: BertConfig, accelerator: Accelerator):
    bert = model(BertForTokenClassification, config)
    rows = features(label=lambda length: [0] * length)
    logits = predict(bert, rows, ner, pad_token_id=0, accelerator=accelerator)
    assert [logits_LC.shape for logits_LC in logits] == [(length, 2) for length in LENGTHS]
    for logits_LC, feature in zip(logits, rows, strict=True):
        alone = bert(input_ids=torch.tensor([feature["input_ids"]])).logits[0].detach()
        torch.testing.assert_close(torch.tensor(logits_LC), alone, rtol=1e-5, atol=1e-5)


def test_a_batch_has_no_more_padded_tokens_than_allowed_unless_one_row_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prediction, "TOKENS", 24)
    order = sorted(range(len(LENGTHS)), key=lambda n: -LENGTHS[n])
    batches = prediction._batches(order, LENGTHS)
    assert [[LENGTHS[n] for n in batch] for batch in batches] == [[19], [11, 11], [7, 5, 3], [2, 2]]
