"""Selecting a teacher's channels: the student's tensors are those of the teacher, sliced by hand."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, BertForPreTraining

from tests.tiny_bert import CUT, INPUTS, same_weights
from tinybert.errors import InputError
from tinybert.model.checkpoint import save
from tinybert.model.size import count_parameters
from tinybert.pruning.cut import Cut, apply_cut, first_channels

# Four heads of nine channels, of which the first five stay.
ATTENTION = [0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 18, 19, 20, 21, 22, 27, 28, 29, 30, 31]
ROOT = (9 / 5) ** 0.5
SLICES = {
    r"(_embeddings|decoder|seq_relationship)\.weight": lambda w: w[:, :20],
    r"LayerNorm\.(weight|bias)": lambda w: w[:20],
    r"query\.weight": lambda w: w[ATTENTION][:, :20] * ROOT,
    r"query\.bias": lambda w: w[ATTENTION] * ROOT,
    r"(key|value)\.weight": lambda w: w[ATTENTION][:, :20],
    r"(key|value)\.bias": lambda w: w[ATTENTION],
    r"attention\.output\.dense\.weight": lambda w: w[:20][:, ATTENTION],
    r"intermediate\.dense\.weight": lambda w: w[:22, :20],
    r"intermediate\.dense\.bias": lambda w: w[:22],
    r"output\.dense\.weight": lambda w: w[:20, :22],
    r"(pooler|transform)\.dense\.weight": lambda w: w[:20, :20],
    r"(output|pooler|transform)\.dense\.bias": lambda w: w[:20],
    r"(predictions|decoder|seq_relationship)\.bias": lambda w: w,
}
"""By the end of a weight's name; of several the first."""


def cut_of(teacher: BertForPreTraining, *, layers: list[int] = CUT["layers"], **changes: int) -> Cut:
    return first_channels(teacher.config, layers=layers, shape=replace(CUT["shape"], **changes))


def test_with_everything_kept_the_student_is_its_teacher_bit_for_bit(teacher: BertForPreTraining):
    cut = cut_of(teacher, layers=[0, 1, 2, 3, 4], hidden_size=36, num_attention_heads=4, intermediate_size=52)
    copy = apply_cut(teacher, cut).eval()
    expected, outputs = teacher(**INPUTS), copy(**INPUTS)
    assert torch.equal(outputs.prediction_logits, expected.prediction_logits)
    assert torch.equal(outputs.seq_relationship_logits, expected.seq_relationship_logits)
    assert same_weights(copy, teacher)


@pytest.mark.parametrize(
    ("hidden_size", "heads", "attention"),
    [
        (20, 4, ATTENTION),
        (18, 2, list(range(18))),
        (8, 2, [0, 1, 2, 3, 9, 10, 11, 12]),
        (22, 2, list(range(22))),  # wider heads than the teacher's take its channels in order, and so do more heads
        (30, 6, list(range(30))),
    ],
)
def test_the_first_channels_of_each_head_are_kept(teacher: Any, hidden_size: int, heads: int, attention: list[int]):
    cut = cut_of(teacher, hidden_size=hidden_size, num_attention_heads=heads)
    assert cut.query == cut.value == [attention, attention]


def test_every_weight_is_a_slice_of_the_one_it_came_from(teacher: BertForPreTraining, student: BertForPreTraining):
    theirs = teacher.state_dict()
    for name, weight in student.state_dict().items():
        source = name.replace("layer.1.", "layer.4.").replace("layer.0.", "layer.1.")
        expected = next(cut(theirs[source]) for end, cut in SLICES.items() if re.search(f"{end}$", name))
        assert torch.equal(weight, expected), name


def test_the_output_layer_still_shares_the_word_embeddings(student: BertForPreTraining):
    assert student.cls.predictions.decoder.weight is student.bert.embeddings.word_embeddings.weight


def test_scores_keep_their_size_where_channels_are_alike(teacher: BertForPreTraining):
    """With the same in every channel, a head of nine channels and its first five give equal scores."""
    weights = teacher.bert.encoder.get_submodule("layer.1.attention.self")
    with torch.no_grad():
        for name in ("query", "key"):
            layer = weights.get_submodule(name)
            assert isinstance(layer, torch.nn.Linear)
            layer.weight.zero_()
            layer.bias.fill_(0.7)
    cut = cut_of(teacher, layers=[1], hidden_size=20)
    layer = apply_cut(teacher, cut).bert.encoder.get_submodule("layer.0.attention.self")
    query, key = (layer.get_parameter(f"{name}.bias")[:5] for name in ("query", "key"))
    torch.testing.assert_close(query @ key / 5**0.5, torch.tensor(9 * 0.49) / 9**0.5)


def test_a_student_wider_than_its_teacher_is_refused(teacher: BertForPreTraining):
    with pytest.raises(InputError) as caught:
        cut_of(teacher, hidden_size=40, intermediate_size=53)
    assert str(caught.value) == (
        "the student cannot be wider than its teacher: "
        "hidden_size is 40, the teacher's is 36; intermediate_size is 53, the teacher's is 52"
    )


@pytest.mark.parametrize("head", [AutoModelForMaskedLM, AutoModelForSequenceClassification])
def test_transformers_loads_the_whole_encoder_of_the_student(student: BertForPreTraining, tmp_path: Path, head: Any):
    save(student, tmp_path)
    model, info = head.from_pretrained(tmp_path, output_loading_info=True)
    assert {key for key in info["missing_keys"]} <= {"classifier.weight", "classifier.bias"}
    assert not info["mismatched_keys"]
    sizes = model.config.num_hidden_layers, model.config.hidden_size, model.config.num_attention_heads
    assert (*sizes, model.config.intermediate_size) == (2, 20, 4, 22)
    if head is AutoModelForMaskedLM:
        expected = student(**INPUTS).prediction_logits
        torch.testing.assert_close(model.eval()(**INPUTS).logits, expected)


def test_the_number_of_parameters_by_hand(student: BertForPreTraining):
    embeddings = (99 + 40 + 2) * 20
    layer = 4 * (20 * 20 + 20) + (20 * 22 + 22) + (22 * 20 + 20) + 2 * 2 * 20
    heads = (20 * 20 + 20) + (20 * 20 + 20 + 2 * 20 + 99) + (2 * 20 + 2)
    assert count_parameters(student) == {
        "parameters": embeddings + 2 * 20 + 2 * layer + heads,
        "parameters_without_embeddings": 2 * 20 + 2 * layer + heads,
    }
