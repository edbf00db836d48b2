"""A rotated student: identities that hold to rounding, and what calibration text is good for."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import BertForPreTraining

from tests.tiny_bert import CONFIG
from tinybert.errors import InputError
from tinybert.pruning.calibration import LayerTrace, Moments, Text, texts_of, trace
from tinybert.pruning.cut import apply_cut, first_channels, important_channels
from tinybert.pruning.factorization import factorized_heads
from tinybert.pruning.rotation import basis, rotate
from tinybert.pruning.shape import Shape

FULL = Shape(hidden_size=36, num_attention_heads=4, intermediate_size=52)
ALL = list(range(CONFIG["num_hidden_layers"]))


@pytest.fixture
def texts() -> list[Text]:
    """40 blocks of 16 tokens, half of them of two documents."""
    blocks = np.random.default_rng(3).integers(5, CONFIG["vocab_size"], size=(40, 16))
    blocks[:, 0] = 2
    blocks[::2, 7] = 2
    return texts_of(blocks, cls_id=2)


@pytest.fixture
def uniform(teacher: BertForPreTraining) -> BertForPreTraining:
    """A teacher whose LayerNorms treat all channels alike."""
    for module in teacher.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.constant_(module.weight, 1.3)
            nn.init.zeros_(module.bias)
    return teacher


def rotated(teacher: BertForPreTraining, texts: list[Text], *, layers: list[int], shape: Shape, **options: Any):
    return rotate(teacher, trace(teacher.bert, texts, layers=layers), texts, layers=layers, shape=shape, **options)


def states(model: BertForPreTraining, texts: list[Text]) -> Tensor:
    """The last hidden states of all tokens, [N, H]."""
    outputs = [
        model.bert(input_ids=text.ids_BL, position_ids=text.positions_BL, attention_mask=text.visible_B1LL)
        for text in texts
    ]
    return torch.cat([output.last_hidden_state.flatten(0, 1) for output in outputs]).detach().double()


def random_covariance(size: int) -> Tensor:
    x = torch.randn(3 * size, size, dtype=torch.float64)
    return x.T @ x


@pytest.mark.parametrize("size", [1, 5, 12])
def test_a_basis_is_orthonormal_and_keeps_the_mean_over_channels(size: int) -> None:
    P = basis(random_covariance(12), size)
    torch.testing.assert_close(P.T @ P, torch.eye(size, dtype=torch.float64))
    ones = torch.ones(12, dtype=torch.float64)
    torch.testing.assert_close(P.T @ ones, torch.full((size,), (12 / size) ** 0.5, dtype=torch.float64))


def test_a_basis_spans_the_leading_components_of_what_layernorm_leaves() -> None:
    """Beside the direction of the mean, three of eleven: no other three have more energy (Ky Fan)."""
    stream = random_covariance(12)
    P = basis(stream, 4)
    centring = torch.eye(12, dtype=torch.float64) - 1 / 12
    leading = torch.linalg.eigvalsh(centring @ stream @ centring)[-3:].sum()
    torch.testing.assert_close((P.T @ stream @ P).trace(), leading + stream.sum() / 12)


def test_with_uniform_gains_a_full_rotation_is_the_teacher(uniform: BertForPreTraining, texts: list[Text]) -> None:
    """Compared in float64: what is left is the rounding of the student's weights."""
    student, P = rotated(uniform, texts, layers=ALL, shape=FULL)
    torch.testing.assert_close(
        states(student.double(), texts) @ P.T, states(uniform.double(), texts), rtol=0, atol=1e-5
    )


def test_heads_and_neurons_that_write_nothing_go_without_a_trace(
    uniform: BertForPreTraining, texts: list[Text]
) -> None:
    """The heads that stay get wider than the teacher's: their channels of no teacher change nothing either."""
    for layer in uniform.bert.encoder.layer:
        attention, neurons = (layer.get_submodule(f"{name}output.dense") for name in ("attention.", ""))
        with torch.no_grad():
            attention.get_parameter("weight")[:, 9:18] = 0
            neurons.get_parameter("weight")[:, 5:25] = 0
    student, P = rotated(uniform, texts, layers=ALL, shape=Shape(36, 3, 32))
    torch.testing.assert_close(states(student, texts) @ P.T, states(uniform, texts), rtol=0, atol=1e-4)
    student.train()
    outputs = student.bert(input_ids=texts[0].ids_BL).last_hidden_state
    outputs.pow(3).sum().backward()
    keys = student.bert.encoder.get_parameter("layer.0.attention.self.key.weight").grad
    assert keys is not None and keys.abs().sum(1).min() > 0, "a silent channel does not learn"


def test_rotation_keeps_more_than_the_first_channels(teacher: BertForPreTraining, texts: list[Text]) -> None:
    layers, seen, held_out = [1, 4], texts[:2], texts[2:]
    expected = states(teacher, held_out)
    student, P = rotated(teacher, seen, layers=layers, shape=Shape(20, 4, 22))
    cut = first_channels(teacher.config, layers=layers, shape=Shape(20, 4, 22))
    padded = nn.functional.pad(states(apply_cut(teacher, cut).eval(), held_out), (0, 16))
    errors = [
        (made - expected).pow(2).sum() / expected.pow(2).sum() for made in (states(student, held_out) @ P.T, padded)
    ]
    assert errors[0] < 0.5 * errors[1]


def test_a_student_has_the_shape_that_was_asked_for(teacher: BertForPreTraining, texts: list[Text]) -> None:
    student, P = rotated(teacher, texts, layers=[0, 2], shape=Shape(24, 8, 30))
    assert P.shape == (36, 24)
    config = student.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (2, 24, 8)
    assert student.cls.predictions.decoder.weight is student.bert.embeddings.word_embeddings.weight
    keys = student.bert.encoder.get_parameter("layer.1.attention.self.key.weight")
    assert (keys.abs().sum(1) == 0).sum() == 12, "four of eight heads are more than the teacher has"


def test_a_student_wider_than_its_teacher_is_refused(teacher: BertForPreTraining, texts: list[Text]) -> None:
    with pytest.raises(InputError) as caught:
        rotated(teacher, texts, layers=[0], shape=Shape(40, 8, 53))
    assert str(caught.value) == (
        "the student cannot be wider than its teacher: "
        "hidden_size is 40, the teacher's is 36; intermediate_size is 53, the teacher's is 52"
    )


@pytest.mark.parametrize("shape", [Shape(20, 4, 22), Shape(14, 2, 9), Shape(24, 8, 30)], ids=str)
def test_with_a_selection_and_without_refits_a_rotation_is_the_cut(
    teacher: BertForPreTraining, texts: list[Text], shape: Shape
) -> None:
    """Eight heads are more than the teacher's four."""
    traced, layers = trace(teacher.bert, texts, layers=[1, 4]), [1, 4]
    cut = important_channels(teacher, traced, layers=layers, shape=shape)
    expected = apply_cut(teacher, cut)
    student, _ = rotate(teacher, traced, texts, layers=layers, shape=shape, basis_Dk=cut.basis(36), refit=False,
                        factorize=False)  # fmt: skip
    for name, weight in student.state_dict().items():
        torch.testing.assert_close(weight, expected.state_dict()[name], msg=name)


def test_the_same_text_gives_the_same_student(teacher: BertForPreTraining, texts: list[Text]) -> None:
    one, two = (rotated(teacher, texts, layers=[0, 3], shape=Shape(20, 5, 22), seed=4)[0] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def traced_layer(*, tokens: int = 200) -> tuple[LayerTrace, dict[str, Tensor]]:
    """Two heads of six channels."""
    part = LayerTrace()
    drawn = {name: torch.randn(tokens, 12) @ torch.randn(12, 12) + 1 for name in ("query", "key", "context")}
    for name, vectors in drawn.items():
        getattr(part, name).add(vectors)
    return part, drawn


def test_factorized_heads_of_full_size_change_nothing() -> None:
    part, drawn = traced_layer()
    out = torch.randn(7, 12, dtype=torch.float64)
    heads = factorized_heads(part, out, heads=2, shape=Shape(12, 2, 1))
    block = slice(6, 12)
    eye = torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(heads.query[block, block].T @ heads.key[block, block], eye)
    torch.testing.assert_close(heads.output @ heads.value, out)
    torch.testing.assert_close(heads.output_bias, out @ drawn["context"].double().mean(0))
    assert not heads.silent.any()


@pytest.mark.parametrize("size", [2, 4])
def test_the_error_of_factorized_scores_is_the_energy_of_the_values_cut_off(size: int) -> None:
    """Eckart and Young: over independent queries and centred keys no other map of this rank has a smaller error."""
    part, drawn = traced_layer()
    heads = factorized_heads(part, torch.randn(7, 12, dtype=torch.float64), heads=2, shape=Shape(2 * size, 2, 1))
    query, key = drawn["query"].double()[:, :6], drawn["key"].double()[:, :6]
    key = key - key.mean(0)
    scores = query @ key.T / 6**0.5
    ours = (query @ heads.query[:size, :6].T) @ (key @ heads.key[:size, :6].T).T / size**0.5
    factors = [torch.linalg.cholesky(x.T @ x / len(x)) for x in (query, key)]
    cut_off = torch.linalg.svdvals(factors[0].T @ factors[1])[size:]
    torch.testing.assert_close((scores - ours).pow(2).mean() * 6, cut_off.pow(2).sum(), rtol=1e-3, atol=0)


def test_the_head_that_writes_least_is_left_out() -> None:
    part, _ = traced_layer()
    out = torch.randn(7, 12, dtype=torch.float64)
    out[:, :6] *= 0.01
    heads = factorized_heads(part, out, heads=2, shape=Shape(6, 1, 1))
    assert (heads.query[:, :6] == 0).all() and (heads.query[:, 6:] != 0).any()


def test_moments_of_parts_are_those_of_the_whole() -> None:
    vectors = torch.randn(3, 50, 4) + 2
    moments = Moments()
    for part in vectors:
        moments.add(part)
    flat = vectors.flatten(0, 1).double()
    torch.testing.assert_close(moments.mean_C, flat.mean(0))
    torch.testing.assert_close(moments.covariance_CC, flat.T.cov(correction=0))


def test_a_trace_has_the_states_of_the_layers_and_documents_do_not_see_each_other(
    teacher: Any, texts: list[Text]
) -> None:
    traced = trace(teacher.bert, texts, layers=[1, 4])
    torch.testing.assert_close(traced.layers[1].output_norm.outputs.double(), states(teacher, texts))
    assert traced.layers[0].input_ND.shape == (40 * 16, 36)
    first = teacher.bert(input_ids=texts[0].ids_BL[:1, :7]).last_hidden_state[0]
    torch.testing.assert_close(traced.layers[1].output_norm.outputs[:7], first, rtol=1e-4, atol=1e-5)
