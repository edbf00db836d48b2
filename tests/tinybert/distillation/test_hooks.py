"""Captured states are those that transformers returns itself."""

import torch
from transformers import BertForPreTraining

from tests.tiny_bert import INPUTS
from tinybert.distillation.hooks import EMBEDDING, attention_scores, capture


def test_hidden_states_are_those_of_transformers(teacher: BertForPreTraining):
    with capture(teacher.bert, [0, 2, 4]) as states:
        expected = teacher.bert(**INPUTS, output_hidden_states=True).hidden_states
    assert list(states.hidden) == [EMBEDDING, 0, 2, 4]
    for layer, hidden in states.hidden.items():
        assert torch.equal(hidden, expected[layer + 1])


def test_queries_and_keys_are_projections_of_the_layers_input(teacher: BertForPreTraining):
    with capture(teacher.bert, [1, 3]) as states:
        hidden = teacher.bert(**INPUTS, output_hidden_states=True).hidden_states
    for kind, outputs in (("query", states.query), ("key", states.key)):
        assert list(outputs) == [1, 3]
        for n, projected in outputs.items():
            projection = teacher.bert.encoder.get_submodule(f"layer.{n}.attention.self.{kind}")
            torch.testing.assert_close(projected, projection(hidden[n]), rtol=1e-6, atol=1e-6)


def test_the_softmax_of_the_scores_is_the_attention(teacher: BertForPreTraining):
    with capture(teacher.bert, range(5)) as states:
        teacher.bert(**INPUTS)
    teacher.set_attn_implementation("eager")
    attentions = teacher.bert(**INPUTS, output_attentions=True).attentions
    padding = INPUTS["attention_mask"][:, None, None, :] == 0
    for n, expected in enumerate(attentions):
        scores = attention_scores(states.query[n], states.key[n], heads=4)
        torch.testing.assert_close(scores.masked_fill(padding, -torch.inf).softmax(-1), expected, rtol=1e-4, atol=1e-6)


def test_scores_by_hand():
    query, key = torch.tensor([[[1.0, 0, 2, 2], [0, 3, 1, 0]]]), torch.tensor([[[2.0, 1, 0, 4], [1, 1, 1, 1]]])
    scores = attention_scores(query, key, heads=2)
    by_hand = torch.tensor([[[[2.0, 1], [3, 3]], [[8, 4], [0, 1]]]]) / 2**0.5
    torch.testing.assert_close(scores, by_hand)


def test_nothing_is_captured_afterwards(teacher: BertForPreTraining):
    with capture(teacher.bert, [0, 1]) as states:
        teacher.bert(**INPUTS)
    before = states.hidden[1]
    teacher.bert(input_ids=INPUTS["input_ids"].flip(0))
    assert states.hidden[1] is before
    assert not any(module._forward_hooks for module in teacher.modules())


def test_hooks_are_removed_when_the_forward_pass_fails(teacher: BertForPreTraining):
    try:
        with capture(teacher.bert, [0]):
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
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
