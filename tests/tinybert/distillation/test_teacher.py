"""Captured states are those that transformers returns itself; a teacher rounded once has the bits of autocast."""

from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from transformers import BertConfig, BertForPreTraining

from tests.tiny_bert import INPUTS
from tinybert.distillation.general import corpus_targets
from tinybert.distillation.teacher import EMBEDDING, capture, cast_linear_weights_to_bf16
from tinybert.model.inputs import Batch

BFLOAT16: Any = SimpleNamespace(mixed_precision="bf16")
FLOAT32: Any = SimpleNamespace(mixed_precision="no")


def test_states_are_those_of_transformers(teacher: BertForPreTraining):
    with capture(teacher.bert, [1, 2, 4]) as states:
        expected = teacher.bert(**INPUTS, output_hidden_states=True).hidden_states
    assert list(states.hidden) == [EMBEDDING, 1, 2, 4]
    for layer, hidden in states.hidden.items():
        assert torch.equal(hidden, expected[layer + 1])
    for kind, outputs in (("query", states.query), ("key", states.key)):
        assert list(outputs) == [1, 2, 4]
        for n, projected in outputs.items():
            projection = teacher.bert.encoder.get_submodule(f"layer.{n}.attention.self.{kind}")
            torch.testing.assert_close(projected, projection(expected[n]), rtol=1e-6, atol=1e-6)


def test_values_are_of_the_layers_that_they_are_asked_for_of(teacher: BertForPreTraining):
    with capture(teacher.bert, [1, 2, 4]) as without:
        hidden = teacher.bert(**INPUTS, output_hidden_states=True).hidden_states
    with capture(teacher.bert, [1, 2, 4], values=[4]) as states:
        teacher.bert(**INPUTS)
    assert not without.value and list(states.value) == [4]
    value = teacher.bert.encoder.get_submodule("layer.4.attention.self.value")
    torch.testing.assert_close(states.value[4], value(hidden[4]), rtol=1e-6, atol=1e-6)
    assert torch.equal(states.cloned().value[4], states.value[4])


def test_the_softmax_of_the_scores_is_the_attention(teacher: BertForPreTraining):
    with capture(teacher.bert, range(5)) as states:
        teacher.bert(**INPUTS)
    teacher.set_attn_implementation("eager")
    attentions = teacher.bert(**INPUTS, output_attentions=True).attentions
    padding = INPUTS["attention_mask"][:, None, None, :] == 0
    for n, expected in enumerate(attentions):
        query, key = (x.unflatten(-1, (4, -1)).transpose(1, 2) for x in (states.query[n], states.key[n]))
        scores = query @ key.mT / query.shape[-1] ** 0.5
        torch.testing.assert_close(scores.masked_fill(padding, -torch.inf).softmax(-1), expected, rtol=1e-4, atol=1e-6)


def test_hooks_are_removed_also_when_the_forward_pass_fails(teacher: BertForPreTraining):
    with suppress(KeyboardInterrupt), capture(teacher.bert, [0, 1]):
        teacher.bert(**INPUTS)
        raise KeyboardInterrupt
    assert not any(module._forward_hooks for module in teacher.modules())


def test_gradients_flow_through_copies_of_inference_tensors(teacher: BertForPreTraining):
    with torch.inference_mode(), capture(teacher.bert, [2]) as states:
        teacher.bert(**INPUTS)
    copy = states.cloned()
    for part in ("hidden", "query", "key"):
        torch.testing.assert_close(getattr(copy, part), getattr(states, part))
    weight = torch.ones(36, requires_grad=True)
    (copy.hidden[2] * weight).sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, copy.hidden[2].sum((0, 1)))


def autocast() -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def test_the_targets_of_a_corpus_have_the_same_bits(teacher: BertForPreTraining, batch: Batch):
    assert cast_linear_weights_to_bf16(teacher, FLOAT32) is teacher
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


@pytest.mark.parametrize("head", ["SequenceClassification", "TokenClassification", "QuestionAnswering"])
def test_the_predictions_of_a_fine_tuned_teacher_have_the_same_bits(config: BertConfig, head: str):
    teacher = getattr(transformers, f"BertFor{head}")(config).eval()
    with torch.inference_mode(), autocast():
        outputs, expected = (m(**INPUTS).to_tuple() for m in (cast_linear_weights_to_bf16(teacher, BFLOAT16), teacher))
    assert all(torch.equal(logits, other) for logits, other in zip(outputs, expected, strict=True))
