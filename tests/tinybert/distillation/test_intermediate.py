"""The objectives of distillation are the weighted sums of losses written out by hand, and train what they should."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertForPreTraining, BertForSequenceClassification

from tests.tiny_bert import same_weights
from tinybert.distillation.general import GeneralDistillation, corpus_targets
from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.projections import load_projections, projections_from, save_projections
from tinybert.distillation.soft_targets import soft_cross_entropy
from tinybert.distillation.task import TaskIntermediateDistillation, task_targets
from tinybert.errors import InputError
from tinybert.finetuning.fit import TaskPrediction
from tinybert.model.inputs import Batch, model_inputs
from tinybert.tasks.classification import model as classification

KEPT, LAYERS = [0, 3, 4, 7, 10], [1, 4]
ONE = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0}
OTHERS = {"standardized": 0.75, "cosine": 4.0, "patience": 1.5, "relation": 2.0}
ODD = {"embedding": 0.5, "hidden": 3.0, "attention": 0.25} | OTHERS
HEADS = 2
"""Of relations; the models have 4."""
PRECISE: Any = lambda: torch.autocast("cpu", enabled=False)  # noqa: E731


def test_the_students_channels_are_mapped_to_those_they_were_cut_from():
    teacher, maps = torch.randn(2, 3, 11), projections_from(torch.eye(11)[:, KEPT], states=3)
    for projection in maps:
        mapped = projection(teacher[..., KEPT])
        others = [n for n in range(11) if n not in KEPT]
        assert torch.equal(mapped[..., KEPT], teacher[..., KEPT])
        assert torch.equal(mapped[..., others], torch.zeros(2, 3, 6))
    assert len({id(weight) for weight in maps.parameters() if weight.requires_grad}) == 6  # none is shared


def test_projections_come_back_as_they_were_saved(tmp_path: Path):
    maps = projections_from(torch.eye(11)[:, KEPT], states=12)  # more than ten: "10" sorts before "2"
    for n, weight in enumerate(maps.parameters()):
        nn.init.constant_(weight, n + 1.0)
    save_projections(maps, tmp_path)
    again = load_projections(tmp_path)
    assert len(again) == 12 and same_weights(again, maps)


def intermediate(student: Any, teacher: Any, weights: dict[str, float]) -> IntermediateDistillation:
    width, states = student.config.hidden_size, student.config.num_hidden_layers + 1
    maps = projections_from(torch.eye(teacher.config.hidden_size)[:, :width], states=states)
    return IntermediateDistillation(
        maps, student.config, teacher.config, teacher_layers=LAYERS, weights=weights, relation_heads=HEADS,
        deviations_MD=deviations(teacher),
    )  # fmt: skip


def deviations(teacher: Any) -> torch.Tensor:
    """Any numbers above 0."""
    return torch.linspace(0.5, 2.0, 2 * teacher.config.hidden_size).unflatten(0, (2, -1))


def general(student: Any, teacher: Any, batch: Any, *, weights: dict[str, float], prediction: float, hard: float = 0.0):
    inner = intermediate(student, teacher, weights)
    targets = corpus_targets(
        teacher, batch, layers=LAYERS, predictions=prediction > 0, autocast=PRECISE, values=inner.teacher_values
    )
    return GeneralDistillation(student, inner, prediction=prediction, temperature=2.0, hard=hard), batch | targets


def by_hand(student: Any, teacher: Any, inputs: dict[str, Any], maps: Any, real: Any, visible: Any, starts: Any):
    """The weighted losses, from the hidden states that transformers returns and from recomputed queries and keys."""
    ours, theirs = (model.bert(**inputs, output_hidden_states=True).hidden_states for model in (student, teacher))

    def error(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(student[real], teacher[real])

    def projected(model: Any, n: int, hidden: torch.Tensor, name: str, heads: int) -> torch.Tensor:
        attention = model.bert.encoder.layer[n].attention.self
        return getattr(attention, name)(hidden).unflatten(-1, (heads, -1)).transpose(1, 2)

    def scores(model: Any, n: int, hidden: torch.Tensor) -> torch.Tensor:
        q, k = (projected(model, n, hidden, name, 4) for name in ("query", "key"))
        return (q @ k.transpose(2, 3) / (hidden.shape[-1] / 4) ** 0.5)[visible.expand(-1, 4, -1, -1)]

    def relations(model: Any, n: int, hidden: torch.Tensor, name: str) -> torch.Tensor:
        x = projected(model, n, hidden, name, HEADS)
        relations = x @ x.transpose(2, 3) / (hidden.shape[-1] / HEADS) ** 0.5
        rows = relations.masked_fill(~visible, -torch.inf).softmax(-1).transpose(1, 2)[real]
        return rows.clamp(min=1e-30)  # log 0

    def divergence(name: str) -> torch.Tensor:
        q, p = relations(student, 1, ours[1], name), relations(teacher, 4, theirs[4], name)
        return (p * (p / q).log()).sum(-1).mean()

    def unit(x: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        return F.normalize(x[where], dim=-1)

    pairs = list(enumerate(LAYERS))
    outputs = [(maps[s + 1](ours[s + 1]), theirs[t + 1]) for s, t in pairs]
    losses = {
        "embedding": error(maps[0](ours[0]), theirs[0]),
        "hidden": sum(error(*pair) for pair in outputs),
        "attention": sum(F.mse_loss(scores(student, s, ours[s]), scores(teacher, t, theirs[t])) for s, t in pairs),
        "standardized": sum(error(s / d, t / d) for (s, t), d in zip(outputs, deviations(teacher), strict=True)),
        "cosine": sum(1 - (unit(s, real) * unit(t, real)).sum(-1).mean() for s, t in outputs),
        "patience": sum((unit(s, starts) - unit(t, starts)).pow(2).sum(-1).mean() for s, t in outputs),
        "relation": sum(divergence(name) for name in ("query", "key", "value")),
    }
    return {name: loss * ODD[name] for name, loss in losses.items()}


def test_general_distillation_is_the_weighted_sum_over_layers(teacher: Any, student: Any, batch: Batch):
    objective, full = general(student, teacher, batch, weights=ODD, prediction=0.75, hard=0.5)
    losses = objective.eval()(full)
    inputs = {name: batch[name] for name in ("input_ids", "position_ids")} | {"attention_mask": batch["visible"]}
    everything, maps = torch.ones_like(batch["input_ids"], dtype=torch.bool), objective.intermediate.projections
    starts = torch.zeros_like(everything)
    starts[[0, 0, 1], [0, 9, 0]] = True  # of BLOCKS' three documents
    expected = by_hand(student, teacher, inputs, maps, everything, batch["visible"], starts)
    ours, theirs = (m(**inputs).prediction_logits.flatten(0, 1)[batch["predicted"]] for m in (student, teacher))
    expected["prediction"] = 0.75 * soft_cross_entropy(ours, theirs, temperature=2.0)
    expected["hard"] = -0.5 * ours.log_softmax(-1)[range(len(ours)), batch["targets"]].mean()
    assert list(losses) == list(expected)
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ODD)
def test_a_loss_of_weight_zero_is_not_computed(teacher: Any, student: Any, batch: Batch, name: str):
    objective, full = general(student, teacher, batch, weights=ODD | {name: 0.0}, prediction=0.0)
    assert set(objective(full)) == set(ODD) - {name}


@pytest.mark.parametrize("name", ODD)
def test_a_loss_alone_needs_no_other(teacher: Any, student: Any, batch: Batch, name: str):
    alone, whole = (general(student, teacher, batch, weights=weights, prediction=0.0) for weights in ({name: 3.0}, ODD))
    losses, expected = (objective.eval()(full) for objective, full in (alone, whole))
    torch.testing.assert_close(losses, {name: expected[name] * 3.0 / ODD[name]})


def test_values_are_captured_for_relations_alone(teacher: Any, student: Any, batch: Batch):
    for weights, layers in ((ODD, [4]), (ODD | {"relation": 0.0}, [])):
        assert list(general(student, teacher, batch, weights=weights, prediction=0.0)[1]["teacher"].value) == layers


def test_counts_are_the_elements_that_each_loss_is_the_mean_of(teacher: Any, student: Any, batch: Batch, pair: Any):
    objective, full = general(student, teacher, batch, weights=ODD, prediction=0.75, hard=0.5)
    counts = {name: int(count) for name, count in objective.counts(full).items()}
    masked = len(batch["targets"])
    # a block of documents of 9 and 7 tokens, and one of 16
    tokens = dict.fromkeys(("embedding", "hidden", "standardized", "cosine", "relation"), 32)
    others = {"attention": 81 + 49 + 256, "patience": 3, "prediction": masked, "hard": masked}
    assert counts == tokens | others

    task = TaskIntermediateDistillation(pair[1], intermediate(pair[1], pair[0], ODD))
    counts = {name: int(count) for name, count in task.counts(rows(9, 5, 7)).items()}
    assert counts == dict.fromkeys(tokens, 21) | {"attention": 81 + 25 + 49, "patience": 3}


def without_gradient(losses: dict[str, torch.Tensor], module: nn.Module) -> set[str]:
    """The weights of `module` that get no gradient of these losses."""
    torch.stack(list(losses.values())).sum().backward()
    return {name for name, weight in module.named_parameters() if weight.grad is None}


def test_the_teacher_gets_no_gradient_and_the_student_all_it_uses(teacher: Any, student: Any, batch: Batch):
    objective, full = general(student, teacher, batch, weights=ODD, prediction=0.75)
    frozen = without_gradient(objective(full), objective)
    assert all(weight.grad is None for weight in teacher.parameters())
    assert {name.split(".")[-3] for name in frozen} == {"pooler", "cls"} and len(frozen) == 4


def test_without_predictions_the_head_is_frozen_and_the_word_embeddings_train(teacher: Any, student: Any, batch: Batch):
    objective, full = general(student, teacher, batch, weights=ONE, prediction=0.0)
    assert "teacher_logits" not in full
    frozen = without_gradient(objective(full), student)
    assert student.bert.embeddings.word_embeddings.weight.grad.abs().sum() > 0
    assert {name for name, _ in student.named_parameters() if "transform" in name} <= frozen


def test_with_the_hard_loss_alone_the_head_trains(teacher: Any, student: Any, batch: Batch):
    objective, full = general(student, teacher, batch, weights=ONE, prediction=0.0, hard=1.0)
    frozen = without_gradient(objective(full), student)
    assert "teacher_logits" not in full
    assert {name.rpartition(".")[0] for name in frozen} == {"bert.pooler.dense", "cls.seq_relationship"}


def test_attention_of_different_heads_is_refused_and_without_it_they_may_differ(teacher: Any, config: BertConfig):
    shape = config.to_dict() | {"num_attention_heads": 6, "num_hidden_layers": 2}
    student = BertForPreTraining(BertConfig.from_dict(shape))
    with pytest.raises(InputError, match="losses.attention is 0.25, but the student has 6 attention heads and the "
                       "teacher 4; expected 0, or equal numbers"):  # fmt: skip
        intermediate(student, teacher, ODD)
    intermediate(student, teacher, ODD | {"attention": 0.0})


def test_relations_of_models_with_different_heads_are_compared(teacher: Any, config: BertConfig, batch: Batch):
    shape = config.to_dict() | {"num_attention_heads": 3, "hidden_size": 24, "num_hidden_layers": 2}
    student = BertForPreTraining(BertConfig.from_dict(shape))
    objective, full = general(student, teacher, batch, weights={"relation": 1.0}, prediction=0.0)
    without_gradient(objective(full), student)
    for name in ("query", "key", "value"):
        weight = student.bert.encoder.get_submodule(f"layer.1.attention.self.{name}").get_parameter("weight")
        assert weight.grad is not None and weight.grad.abs().sum() > 0


def test_relation_heads_that_do_not_divide_both_widths_are_refused(teacher: Any, student: Any):
    sizes, maps = "the student's hidden_size is 20 and the teacher's 36", nn.ModuleList()
    options = {"teacher_layers": LAYERS, "weights": {"relation": 1.0}}
    for heads in (3, 5):
        with pytest.raises(InputError, match=f"losses.relation_heads is {heads}, but {sizes}; expected a number that"):
            IntermediateDistillation(maps, student.config, teacher.config, relation_heads=heads, **options)
    options["weights"] = {"hidden": 1.0}
    IntermediateDistillation(maps, student.config, teacher.config, relation_heads=5, **options)


@pytest.fixture
def pair(config: BertConfig) -> tuple[Any, Any]:
    """A fine-tuned teacher and a student of it, for two classes; the student has the teacher's width."""
    configs = config, BertConfig.from_dict(config.to_dict() | {"num_hidden_layers": 2})
    teacher, student = (BertForSequenceClassification(config).eval() for config in configs)
    for weight in [*teacher.parameters(), *student.parameters()]:
        nn.init.normal_(weight, std=0.2)
    return teacher, student


def rows(*lengths: int, padded_to: int | None = None) -> Batch:
    features = [{"input_ids": [2, *range(20 + n, 18 + n + length), 3], "token_type_ids": [0] * length, "label": n % 2}
                for n, length in enumerate(lengths)]  # fmt: skip
    batch = classification.collate(features, pad_token_id=0)
    width = padded_to or max(lengths)
    return batch | {name: F.pad(tensor, (0, width - max(lengths))) for name, tensor in model_inputs(batch).items()}


def task_losses(pair: tuple[Any, Any], batch: Batch) -> dict[str, torch.Tensor]:
    teacher, student = pair
    objective = TaskIntermediateDistillation(student, intermediate(student, teacher, ODD)).eval()
    targets = task_targets(teacher, batch, layers=LAYERS, autocast=PRECISE, values=LAYERS[-1:])
    return objective(batch | {"teacher": targets})


def test_task_distillation_is_the_weighted_sum_over_layers(pair: tuple[Any, Any]):
    teacher, student = pair
    batch = rows(9, 5, 7)
    real = batch["attention_mask"].bool()
    visible = real[:, None, :, None] & real[:, None, None, :]
    maps = intermediate(student, teacher, ODD).projections
    starts = torch.zeros_like(real)
    starts[:, 0] = True
    expected = by_hand(student, teacher, model_inputs(batch), maps, real, visible, starts)
    torch.testing.assert_close(task_losses(pair, batch), expected, rtol=1e-4, atol=1e-5)


def test_padding_changes_no_loss(pair: tuple[Any, Any]):
    longer, shorter = (task_losses(pair, rows(9, 5, padded_to=length)) for length in (30, 9))
    torch.testing.assert_close(longer, shorter, rtol=1e-5, atol=1e-6)


def test_task_distillation_trains_neither_teacher_nor_head_and_prediction_then_trains_all(pair: tuple[Any, Any]):
    teacher, student = pair
    names = without_gradient(task_losses(pair, rows(9, 5)), student)
    assert all(weight.grad is None for weight in teacher.parameters())
    frozen = {name.rpartition(".")[0] for name in names}
    assert {"classifier", "bert.pooler.dense"} <= frozen
    assert not any("layer.0" in name or "embeddings" in name for name in frozen)
    objective = TaskPrediction(student, classification, hard=1.0, soft=0.0, temperature=1.0)
    assert without_gradient(objective(rows(9, 5, 7)), student) == set()


def test_fine_tuning_minimises_hard_and_soft_losses_by_their_weights(pair: tuple[Any, Any]):
    teacher, student = pair
    batch = rows(9, 5, 7)
    ours, theirs = student(**model_inputs(batch)).logits, teacher(**model_inputs(batch)).logits.detach()
    hard = F.cross_entropy(ours, batch["labels"])
    soft = -(theirs / 3).softmax(-1).mul((ours / 3).log_softmax(-1)).sum(-1).mean() * 9
    objective = TaskPrediction(student, classification, hard=0.25, soft=2.0, temperature=3.0)
    torch.testing.assert_close(objective(batch | {"teacher_logits": theirs}), {"hard": 0.25 * hard, "soft": 2.0 * soft})
    assert set(TaskPrediction(student, classification, hard=1.0, soft=0.0, temperature=1.0)(batch)) == {"hard"}
