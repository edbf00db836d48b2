"""Logits are those of each row computed alone, in order; from rows on disk to scores."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

from tinybert.data import length_batches
from tinybert.data.tokenizer import build_tokenizer, save_tokenizer
from tinybert.errors import InputError
from tinybert.finetuning.predict import Scorer, predict
from tinybert.tasks.classification import model as classification
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.ner import model as ner
from tinybert.tasks.tables import write_labels, write_rows

LENGTHS = [3, 11, 2, 7, 11, 5, 19, 2]


@pytest.mark.parametrize("tokens", [1, 24, 8192])
@pytest.mark.parametrize(
    ("head", "task"), [(BertForSequenceClassification, classification), (BertForTokenClassification, ner)]
)
def test_logits_have_the_order_of_the_features_and_no_padding(
    config: BertConfig, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, head: Any, task: Any, tokens: int
):
    monkeypatch.setattr(length_batches, "TOKENS", tokens)
    features = [
        {"input_ids": [2, *range(20 + n, 18 + n + length), 3], "token_type_ids": [0] * length,
         "label": 0 if task is classification else [0] * length}
        for n, length in enumerate(LENGTHS)
    ]  # fmt: skip
    bert = head(config)
    for weight in bert.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    logits = predict(bert, features, task, pad_token_id=0, accelerator=accelerator)
    assert not bert.training
    for ours, feature in zip(logits, features, strict=True):
        alone = bert(input_ids=torch.tensor([feature["input_ids"]])).logits[0].detach()
        torch.testing.assert_close(torch.tensor(ours), alone, rtol=1e-5, atol=1e-5)


def test_a_batch_has_no_more_padded_tokens_than_allowed_unless_one_row_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(length_batches, "TOKENS", 24)
    batches = length_batches.batches_by_length(LENGTHS)
    assert [[LENGTHS[n] for n in batch] for batch in batches] == [[19], [11, 11], [7, 5, 3], [2, 2]]


def scorer_of(folder: Path, labels: list[str], accelerator: Accelerator) -> Scorer:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"the cat sat on mat dog a ran".split()]
    save_tokenizer(build_tokenizer(tokens, lowercase=True, max_length=16), folder=folder)
    write_labels(folder, labels)
    return Scorer("classification", data=folder, checkpoint=folder, encoding={"max_length": 16}, decoding={},
                  accelerator=accelerator)  # fmt: skip


def test_a_metric_that_is_undefined_for_the_labels_is_refused(tmp_path: Path, accelerator: Accelerator):
    def require(metric: str, labels: str) -> None:
        scorer_of(tmp_path, [*labels], accelerator).require(metric, [{"label": label} for label in labels])

    with pytest.raises(InputError, match="metric: expected one of accuracy, f1_macro, matthews for 3 labels, got 'f1'"):
        require("f1", "abc")
    require("f1", "ab")
    require("f1_macro", "abc")


class Length:
    """Says "long" of inputs of more than five tokens."""

    def eval(self) -> None:
        pass

    def __call__(self, **inputs: torch.Tensor) -> Any:
        lengths_B = inputs["attention_mask"].sum(dim=1)
        return type("Outputs", (), {"logits": torch.stack([5.5 - lengths_B, lengths_B - 5.5], dim=1)})


def test_scores_of_rows_on_disk_are_those_of_the_models_predictions(tmp_path: Path, accelerator: Accelerator):
    texts = {"cat": "short", "the cat sat on the mat": "long", "dog": "long", "a dog ran": "short"}
    rows = [{"text": text, "text_pair": None, "label": label} for text, label in texts.items()]
    write_rows(tmp_path / "test.parquet", rows, SCHEMA)
    scorer = scorer_of(tmp_path, ["short", "long"], accelerator)
    test = scorer.read("test")
    assert test.rows == rows
    assert scorer.decode(scorer.logits(Length(), test.features), test) == ["short", "long", "short", "short"]
    assert scorer.scores(Length(), test)["accuracy"] == 3 / 4
