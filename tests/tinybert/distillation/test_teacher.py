"""A teacher whose matrices are rounded once computes the bits of one that autocast rounds in every step."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

from tests.tiny_bert import INPUTS
from tinybert.distillation.general import corpus_targets
from tinybert.distillation.teacher import cast_linear_weights_to_bf16
from tinybert.model.inputs import Batch


def autocast() -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16)


BFLOAT16: Any = SimpleNamespace(mixed_precision="bf16")
FLOAT32: Any = SimpleNamespace(mixed_precision="no")


def test_the_targets_of_a_corpus_have_the_same_bits(teacher: BertForPreTraining, batch: Batch):
    rounded = cast_linear_weights_to_bf16(teacher, BFLOAT16)
    targets, expected = (
        corpus_targets(model, batch, layers=[1, 4], predictions=True, autocast=autocast) for model in (rounded, teacher)
    )
    for part in ("hidden", "query", "key"):
        for layer, state in getattr(expected["teacher"], part).items():
            assert torch.equal(getattr(targets["teacher"], part)[layer], state)
    assert torch.equal(targets["teacher_logits"], expected["teacher_logits"])
    assert {weight.dtype for weight in teacher.parameters()} == {torch.float32}
    assert rounded.cls.predictions.decoder.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("head", [BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering])
def test_the_predictions_of_a_fine_tuned_teacher_have_the_same_bits(config: BertConfig, head: Any):
    teacher = head(config).eval()
    with torch.inference_mode(), autocast():
        outputs, expected = (m(**INPUTS).to_tuple() for m in (cast_linear_weights_to_bf16(teacher, BFLOAT16), teacher))
    assert all(torch.equal(logits, other) for logits, other in zip(outputs, expected, strict=True))


def test_in_float32_a_teacher_is_not_copied(teacher: BertForPreTraining):
    assert cast_linear_weights_to_bf16(teacher, FLOAT32) is teacher
