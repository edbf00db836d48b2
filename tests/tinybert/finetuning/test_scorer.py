"""From rows on disk to scores, and metrics that are undefined for a task's labels."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from tinybert.data.tokenizer import build_tokenizer
from tinybert.errors import InputError
from tinybert.finetuning.predict import Scorer
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.tables import write_rows

ROWS = [{"label": label} for label in "abca"]


def scorer(labels: list[str]) -> Scorer:
    nothing: Any = None
    return Scorer("classification", tokenizer=nothing, labels=labels, encoding={}, decoding={}, accelerator=nothing)


def test_f1_of_the_second_label_needs_two_labels():
    with pytest.raises(InputError, match="metric: expected one of accuracy, f1_macro, matthews for 3 labels, got 'f1'"):
        scorer(["a", "b", "c"]).require("f1", ROWS)
    scorer(["a", "b"]).require("f1", ROWS[:2])


def test_the_macro_mean_is_defined_for_any_number_of_labels():
    scorer(["a", "b", "c"]).require("f1_macro", ROWS)


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
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"the cat sat on mat dog a ran".split()]
    tokenizer = build_tokenizer(tokens, lowercase=True, max_length=16)
    scorer = Scorer("classification", tokenizer=tokenizer, labels=["short", "long"], encoding={"max_length": 16},
                    decoding={}, accelerator=accelerator)  # fmt: skip
    test = scorer.read(tmp_path, "test")
    assert test.rows == rows
    assert scorer.decode(scorer.logits(Length(), test.features), test) == ["short", "long", "short", "short"]
    assert scorer.scores(Length(), test)["accuracy"] == 3 / 4
