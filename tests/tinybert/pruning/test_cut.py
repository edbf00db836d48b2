"""Pruning a teacher: the student's tensors are those of the teacher, sliced by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, BertForPreTraining

from tests.tiny_bert import INPUTS
from tinybert.errors import InputError
from tinybert.model.checkpoint import load_checkpoint, save
from tinybert.model.size import count_parameters
from tinybert.pruning.cut import Cut, apply_cut, as_json, first_channels

LAYERS, HIDDEN, HEADS, NEURONS = [1, 4], 20, 4, 22
# Four heads of nine channels, of which the first five stay.
ATTENTION = [0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 18, 19, 20, 21, 22, 27, 28, 29, 30, 31]


def cut_of(teacher: BertForPreTraining, **changes: Any) -> Cut:
    shape = {"layers": LAYERS, "hidden_size": HIDDEN, "num_attention_heads": HEADS, "intermediate_size": NEURONS}
    return first_channels(teacher.config, **(shape | changes))


@pytest.fixture
def student(teacher: BertForPreTraining) -> BertForPreTraining:
    return apply_cut(teacher, cut_of(teacher)).eval()


def test_with_everything_kept_the_student_is_its_teacher_bit_for_bit(teacher: BertForPreTraining):
    cut = cut_of(teacher, layers=[0, 1, 2, 3, 4], hidden_size=36, num_attention_heads=4, intermediate_size=52)
    copy = apply_cut(teacher, cut).eval()
    expected, outputs = teacher(**INPUTS), copy(**INPUTS)
    assert torch.equal(outputs.prediction_logits, expected.prediction_logits)
    assert torch.equal(outputs.seq_relationship_logits, expected.seq_relationship_logits)
    weights = teacher.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in copy.state_dict().items())


def test_the_first_channels_of_each_head_are_kept(teacher: BertForPreTraining):
    assert cut_of(teacher).attention == ATTENTION
    assert cut_of(teacher, hidden_size=18, num_attention_heads=2).attention == list(range(18))
    assert cut_of(teacher, hidden_size=8, num_attention_heads=2).attention == [0, 1, 2, 3, 9, 10, 11, 12]


def test_heads_wider_than_the_teachers_take_its_channels_in_order(teacher: BertForPreTraining):
    assert cut_of(teacher, hidden_size=22, num_attention_heads=2).attention == list(range(22))


def test_more_heads_than_the_teachers_take_its_channels_in_order(teacher: BertForPreTraining):
    assert cut_of(teacher, hidden_size=30, num_attention_heads=6).attention == list(range(30))


def test_embeddings_and_heads_are_slices(teacher: BertForPreTraining, student: BertForPreTraining):
    ours, theirs = student.state_dict(), teacher.state_dict()
    for name in ("word", "position", "token_type"):
        name = f"bert.embeddings.{name}_embeddings.weight"
        assert torch.equal(ours[name], theirs[name][:, :20])
    for name in ("bert.embeddings.LayerNorm.weight", "cls.predictions.transform.LayerNorm.bias"):
        assert torch.equal(ours[name], theirs[name][:20])
    for name in ("bert.pooler.dense", "cls.predictions.transform.dense"):
        assert torch.equal(ours[f"{name}.weight"], theirs[f"{name}.weight"][:20, :20])
        assert torch.equal(ours[f"{name}.bias"], theirs[f"{name}.bias"][:20])
    assert torch.equal(ours["cls.predictions.bias"], theirs["cls.predictions.bias"])
    assert torch.equal(ours["cls.seq_relationship.weight"], theirs["cls.seq_relationship.weight"][:, :20])


def test_the_output_layer_still_shares_the_word_embeddings(student: BertForPreTraining):
    assert student.cls.predictions.decoder.weight is student.bert.embeddings.word_embeddings.weight


@pytest.mark.parametrize(("mine", "its"), [(0, 1), (1, 4)])
def test_layers_are_slices_of_the_layers_they_came_from(
    teacher: BertForPreTraining, student: BertForPreTraining, mine: int, its: int
):
    ours = {name: weight for name, weight in student.state_dict().items() if f"layer.{mine}." in name}
    theirs = {name.replace(f"layer.{its}.", f"layer.{mine}."): weight for name, weight in teacher.state_dict().items()
              if f"layer.{its}." in name}  # fmt: skip
    root = (9 / 5) ** 0.5  # heads of nine channels became heads of five
    slices = {
        "attention.self.query.weight": lambda w: w[ATTENTION][:, :20] * root,
        "attention.self.query.bias": lambda w: w[ATTENTION] * root,
        "attention.self.key.weight": lambda w: w[ATTENTION][:, :20],
        "attention.self.key.bias": lambda w: w[ATTENTION],
        "attention.self.value.weight": lambda w: w[ATTENTION][:, :20],
        "attention.self.value.bias": lambda w: w[ATTENTION],
        "attention.output.dense.weight": lambda w: w[:20][:, ATTENTION],
        "attention.output.dense.bias": lambda w: w[:20],
        "attention.output.LayerNorm.weight": lambda w: w[:20],
        "attention.output.LayerNorm.bias": lambda w: w[:20],
        "intermediate.dense.weight": lambda w: w[:22, :20],
        "intermediate.dense.bias": lambda w: w[:22],
        "output.dense.weight": lambda w: w[:20, :22],
        "output.dense.bias": lambda w: w[:20],
        "output.LayerNorm.weight": lambda w: w[:20],
        "output.LayerNorm.bias": lambda w: w[:20],
    }
    assert {name.partition(f"layer.{mine}.")[2] for name in ours} == set(slices)
    for name, weight in ours.items():
        assert torch.equal(weight, slices[name.partition(f"layer.{mine}.")[2]](theirs[name])), name


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


def test_a_cut_can_be_written_as_json(teacher: BertForPreTraining):
    assert as_json(cut_of(teacher)) == {
        "layers": [1, 4],
        "hidden": list(range(20)),
        "attention": ATTENTION,
        "intermediate": list(range(22)),
        "num_attention_heads": 4,
    }


@pytest.mark.parametrize("head", [AutoModelForMaskedLM, AutoModelForSequenceClassification])
def test_transformers_loads_the_student_without_missing_weights_of_the_encoder(
    student: BertForPreTraining, tmp_path: Path, head: Any
):
    save(student, tmp_path)
    model, info = head.from_pretrained(tmp_path, output_loading_info=True)
    assert {key for key in info["missing_keys"]} <= {"classifier.weight", "classifier.bias"}
    assert not info["mismatched_keys"]
    sizes = model.config.num_hidden_layers, model.config.hidden_size, model.config.num_attention_heads
    assert (*sizes, model.config.intermediate_size) == (2, 20, 4, 22)
    if head is AutoModelForMaskedLM:
        expected = student(**INPUTS).prediction_logits
        torch.testing.assert_close(model.eval()(**INPUTS).logits, expected)


def test_a_saved_student_comes_back_bit_for_bit(student: BertForPreTraining, tmp_path: Path):
    save(student, tmp_path)
    again = load_checkpoint(tmp_path).state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in student.state_dict().items())


def test_the_number_of_parameters_by_hand(student: BertForPreTraining):
    embeddings = (99 + 40 + 2) * 20
    layer = 4 * (20 * 20 + 20) + (20 * 22 + 22) + (22 * 20 + 20) + 2 * 2 * 20
    heads = (20 * 20 + 20) + (20 * 20 + 20 + 2 * 20 + 99) + (2 * 20 + 2)
    assert count_parameters(student) == {
        "parameters": embeddings + 2 * 20 + 2 * layer + heads,
        "parameters_without_embeddings": 2 * 20 + 2 * layer + heads,
    }
