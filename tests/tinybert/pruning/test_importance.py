"""What is kept by its size on calibration text, against choices by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertForPreTraining

from tests.tiny_bert import CONFIG
from tinybert.pruning.calibration import LayerTrace, Text, texts_of
from tinybert.pruning.cut import Cut, random_channels
from tinybert.pruning.importance import head_channels, heads_by_output, hidden_channels, layer_influence, neurons
from tinybert.pruning.prune import METHODS, prune
from tinybert.pruning.shape import Shape

SHAPE: dict[str, Any] = {"num_hidden_layers": 2, "hidden_size": 20, "num_attention_heads": 4, "intermediate_size": 22}


@pytest.fixture
def texts() -> list[Text]:
    blocks = np.random.default_rng(3).integers(5, CONFIG["vocab_size"], size=(20, 16))
    blocks[:, 0] = 2
    return texts_of(blocks, cls_id=2)


def test_the_hidden_channels_of_most_energy_are_kept() -> None:
    assert hidden_channels(torch.diag(torch.tensor([1.0, 4.0, 2.0, 4.0, 0.5])), 3) == [1, 2, 3]


def test_a_neuron_counts_by_its_square_and_by_what_it_writes() -> None:
    part = LayerTrace(energy_F=torch.tensor([9.0, 1.0, 4.0]))
    assert neurons(part, torch.ones(2, 3), 2) == [0, 2]
    assert neurons(part, torch.tensor([[0.1, 2.0, 1.0], [0.1, 2.0, 0.0]]), 2) == [1, 2]


def layer() -> tuple[LayerTrace, torch.Tensor]:
    """Two heads of three channels; the second writes more. Channels 2, 1 and 3, 5 have the largest scores."""
    part = LayerTrace()
    for name, sizes in (("query", [1, 2, 3, 3, 1, 2]), ("key", [1, 2, 2, 2, 1, 2]), ("context", [2, 1, 3, 4, 9, 5])):
        signs = torch.tensor([[1.0] * 6, [-1.0] * 6])
        getattr(part, name).add(signs * torch.tensor(sizes))
    return part, torch.ones(4, 6)


def test_the_channels_of_a_head_are_kept_by_its_scores_and_by_what_it_writes() -> None:
    part, out = layer()
    channels = head_channels(part, out.double(), shape=Shape(4, 2, 1), heads=2)
    assert (channels.query, channels.value) == ([1, 2, 3, 5], [0, 2, 4, 5])
    assert heads_by_output(part, out.double(), heads=2, count=1) == [1]
    channels = head_channels(part, out.double(), shape=Shape(2, 1, 1), heads=2)
    assert (channels.query, channels.value) == ([3, 5], [4, 5])


def test_wider_heads_are_filled_with_the_channels_that_write_most() -> None:
    part, out = layer()
    channels = head_channels(part, out.double(), shape=Shape(4, 1, 1), heads=2)
    assert channels.query == channels.value == [2, 3, 4, 5]


def test_a_layer_that_changes_nothing_has_no_influence(teacher: BertForPreTraining, texts: list[Text]) -> None:
    silent = teacher.bert.encoder.get_submodule("layer.2")
    for name, weight in silent.named_parameters():
        if "LayerNorm" not in name:
            torch.nn.init.zeros_(weight)
    for module in teacher.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.reset_parameters()
    influence = layer_influence(teacher.bert, texts)
    assert len(influence) == 5 and abs(influence[2]) < 1e-6 < min(influence[:2] + influence[3:])
    states = teacher.bert(
        input_ids=texts[0].ids_BL, attention_mask=texts[0].visible_B1LL, position_ids=texts[0].positions_BL,
        output_hidden_states=True,
    ).hidden_states  # fmt: skip
    first = layer_influence(teacher.bert, texts[:1])
    cosines = torch.nn.functional.cosine_similarity(states[3].double(), states[4].double(), dim=-1)
    assert first[3] == pytest.approx(1 - cosines.mean().item(), rel=1e-5)
    shape: dict[str, Any] = SHAPE | {"num_hidden_layers": 4}
    pruned = prune(teacher, texts, **shape, keep_layers="importance")
    assert pruned.layers == [0, 1, 3, 4] and pruned.record["influence"] == pytest.approx(influence)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_shape_and_a_basis(teacher: BertForPreTraining, texts: list[Text], method: str) -> None:
    pruned = prune(teacher, texts, **SHAPE, method=method, seed=3)
    config = pruned.student.config
    assert {name: getattr(config, name) for name in SHAPE} == SHAPE
    torch.testing.assert_close(pruned.basis_Dk.T @ pruned.basis_Dk, torch.eye(20))
    assert pruned.layers == pruned.record["layers"] == [1, 4] and pruned.record["method"] == method


def test_a_student_from_scratch_has_random_weights_of_its_seed(teacher: BertForPreTraining) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        return prune(teacher, (), **SHAPE, method="scratch", seed=seed).student.state_dict()

    name = "bert.encoder.layer.0.output.dense.weight"
    assert weights(1)[name].std().item() == pytest.approx(teacher.config.initializer_range, rel=0.2)
    assert all(torch.equal(weight, weights(1)[name]) for name, weight in weights(1).items())
    assert not torch.equal(weights(1)[name], weights(2)[name])


def test_random_channels_are_drawn_from_the_seed(teacher: BertForPreTraining) -> None:
    def drawn(seed: int) -> Cut:
        return random_channels(teacher.config, layers=[1, 4], shape=Shape(20, 4, 22), seed=seed)

    assert drawn(1) == drawn(1) != drawn(2)
    cut = drawn(1)
    for kept, size in ((cut.hidden, 20), *((q, 20) for q in cut.query), *((f, 22) for f in cut.intermediate)):
        assert kept == sorted(set(kept)) and len(kept) == size
    assert [c // 9 for c in cut.query[0]] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5
    assert cut.query[0] != cut.query[1]
