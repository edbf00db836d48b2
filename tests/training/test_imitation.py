"""Imitation: a student that is its teacher has nothing to learn, and the losses are the sums they are said to be."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import BertConfig, BertForPreTraining, BertForSequenceClassification

from stages.model import projections
from stages.model.states import EMBEDDING, States, capture
from stages.model.width import cut_out, first_channels
from stages.pipeline.errors import InputError
from stages.tasks import classification, ner, qa
from stages.training.blocks import Masking, mask_blocks
from stages.training.distillation import GeneralDistillation
from stages.training.imitation import Imitation
from stages.training.losses import prediction_loss
from stages.training.task_imitation import TaskImitation, show_rows
from stages.training.task_prediction import TaskPrediction, inputs
from stages.training.teaching import rounded_once, show_blocks

CPU = torch.device("cpu")
ONE = {"embedding": 1.0, "hidden": 1.0, "attention": 1.0}
ODD = {"embedding": 0.5, "hidden": 3.0, "attention": 0.25}
PRECISE: Any = lambda: torch.autocast("cpu", enabled=False)  # noqa: E731
BLOCKS = np.array([[2, *range(10, 17), 3, 2, *range(40, 45), 3], [2, *range(60, 74), 3]], dtype=np.uint16)
MASKING = Masking(0.4, False, torch.zeros(99, dtype=torch.bool), range(5), 2, 4)


def random_weights(model: Any) -> Any:
    torch.manual_seed(6)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


@pytest.fixture
def teacher(config: BertConfig) -> BertForPreTraining:
    return random_weights(BertForPreTraining(config))


@pytest.fixture
def student(teacher: BertForPreTraining) -> BertForPreTraining:
    cut = first_channels(teacher.config, layers=[1, 4], hidden_size=20, num_attention_heads=4, intermediate_size=22)
    return cut_out(teacher, cut)


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    return mask_blocks(BLOCKS, masking=MASKING, position=(1, 2), device=CPU)


def imitation(student: Any, teacher: Any, layers: list[int], weights: dict[str, float]) -> Imitation:
    width = student.config.hidden_size
    maps = projections.for_channels(
        list(range(width)), teacher=teacher.config.hidden_size, states=student.config.num_hidden_layers + 1
    )
    return Imitation(maps, student.config, teacher.config, teacher_layers=layers, weights=weights)


def general(student: Any, teacher: Any, batch: Any, *, layers: list[int], weights: dict[str, float], prediction: float):
    shown = show_blocks(teacher, batch, layers=layers, predictions=prediction > 0, autocast=PRECISE)
    objective = GeneralDistillation(
        student, imitation(student, teacher, layers, weights), prediction=prediction, temperature=2.0
    )
    return objective, batch | shown


def test_a_student_that_is_its_teacher_has_no_loss(teacher: BertForPreTraining, batch: Any):
    objective, full = general(teacher, teacher, batch, layers=[0, 1, 2, 3, 4], weights=ONE, prediction=0.0)
    assert {name: loss.item() for name, loss in objective(full).items()} == dict.fromkeys(ONE, 0.0)


def by_hand(student: Any, teacher: Any, inputs: dict[str, Any], maps: Any, layers: list[int], real: Any, visible: Any):
    """The three losses from what transformers gives out itself, and from queries and keys computed anew."""
    ours, theirs = (model.bert(**inputs, output_hidden_states=True).hidden_states for model in (student, teacher))

    def error(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(one[real], other[real])

    def scores(model: Any, n: int, hidden: torch.Tensor) -> torch.Tensor:
        attention = model.bert.encoder.layer[n].attention.self
        q, k = (x(hidden).unflatten(-1, (4, -1)).transpose(1, 2) for x in (attention.query, attention.key))
        return q @ k.transpose(2, 3) / (hidden.shape[-1] / 4) ** 0.5

    attention = [
        F.mse_loss(scores(student, s, ours[s])[seen], scores(teacher, t, theirs[t])[seen])
        for s, t in enumerate(layers)
        for seen in [visible.expand(-1, 4, -1, -1)]
    ]
    return {
        "embedding": error(maps[0](ours[0]), theirs[0]),
        "hidden": sum(error(maps[s + 1](ours[s + 1]), theirs[t + 1]) for s, t in enumerate(layers)),
        "attention": sum(attention),
    }


def test_general_distillation_is_the_weighted_sum_over_layers(teacher: Any, student: Any, batch: Any):
    objective, full = general(student, teacher, batch, layers=[1, 4], weights=ODD, prediction=0.75)
    found = objective.eval()(full)
    inputs = {name: batch[name] for name in ("input_ids", "position_ids")} | {"attention_mask": batch["visible"]}
    everything = torch.ones_like(batch["input_ids"], dtype=torch.bool)
    wanted: dict[str, Any] = by_hand(
        student, teacher, inputs, objective.imitation.projections, [1, 4], everything, batch["visible"]
    )
    wanted = {name: loss * ODD[name] for name, loss in wanted.items()}
    ours, theirs = (m(**inputs).prediction_logits.flatten(0, 1)[batch["predicted"]] for m in (student, teacher))
    wanted["prediction"] = 0.75 * prediction_loss(ours, theirs, temperature=2.0)
    assert list(found) == list(wanted)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("left", ["embedding", "hidden", "attention"])
def test_a_loss_of_weight_zero_is_left_out(teacher: Any, student: Any, batch: Any, left: str):
    objective, full = general(student, teacher, batch, layers=[1, 4], weights=ONE | {left: 0.0}, prediction=0.0)
    assert set(objective(full)) == set(ONE) - {left}


def test_the_teacher_gets_no_gradient_and_the_student_all_it_uses(teacher: Any, student: Any, batch: Any):
    objective, full = general(student, teacher, batch, layers=[1, 4], weights=ODD, prediction=0.75)
    torch.stack(list(objective(full).values())).sum().backward()
    assert all(weight.grad is None for weight in teacher.parameters())
    without = {name for name, weight in objective.named_parameters() if weight.grad is None}
    assert {name.split(".")[-3] for name in without} == {"pooler", "cls"}
    assert len(without) == 4


def test_without_predictions_the_head_rests_and_the_word_embeddings_still_train(teacher: Any, student: Any, batch: Any):
    objective, full = general(student, teacher, batch, layers=[1, 4], weights=ONE, prediction=0.0)
    assert "teacher_logits" not in full
    torch.stack(list(objective(full).values())).sum().backward()
    assert student.bert.embeddings.word_embeddings.weight.grad.abs().sum() > 0
    assert all(weight.grad is None for name, weight in student.named_parameters() if "transform" in name)


def test_attention_of_different_heads_is_refused_and_without_it_they_may_differ(teacher: Any, config: BertConfig):
    other = BertConfig.from_dict(config.to_dict() | {"num_attention_heads": 6, "num_hidden_layers": 2})
    student = BertForPreTraining(other)
    with pytest.raises(InputError, match="losses.attention is 0.25, but the student has 6 attention heads and the "
                       "teacher 4; wanted is 0"):  # fmt: skip
        imitation(student, teacher, [1, 4], ODD)
    imitation(student, teacher, [1, 4], ODD | {"attention": 0.0})


@pytest.fixture
def pair(config: BertConfig) -> tuple[Any, Any]:
    """A fine-tuned teacher and a student of it, for two classes; the student has the teacher's width."""
    small = BertConfig.from_dict(config.to_dict() | {"num_hidden_layers": 2})
    return random_weights(BertForSequenceClassification(config)), random_weights(BertForSequenceClassification(small))


def rows(*lengths: int, to: int | None = None) -> dict[str, torch.Tensor]:
    features = [{"input_ids": [2, *range(20 + n, 18 + n + length), 3], "token_type_ids": [0] * length, "label": n % 2}
                for n, length in enumerate(lengths)]  # fmt: skip
    batch = classification.collate(features, pad_token_id=0)
    longer = {"input_ids", "token_type_ids", "attention_mask"}
    return {name: F.pad(one, (0, to - one.shape[1])) if to and name in longer else one for name, one in batch.items()}


def imitated(pair: tuple[Any, Any], batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    teacher, student = pair
    objective = TaskImitation(student, imitation(student, teacher, [1, 4], ODD)).eval()
    return objective(batch | {"teacher": show_rows(teacher, batch, layers=[1, 4], autocast=PRECISE)})


def test_task_imitation_is_the_weighted_sum_over_layers(pair: tuple[Any, Any]):
    teacher, student = pair
    batch = rows(9, 5, 7)
    real = batch["attention_mask"].bool()
    visible = real[:, None, :, None] & real[:, None, None, :]
    maps = imitation(student, teacher, [1, 4], ODD).projections
    inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    wanted: dict[str, Any] = by_hand(student, teacher, inputs, maps, [1, 4], real, visible)
    found = imitated(pair, batch)
    torch.testing.assert_close(found, {n: loss * ODD[n] for n, loss in wanted.items()}, rtol=1e-4, atol=1e-5)


def test_padding_changes_no_loss(pair: tuple[Any, Any]):
    torch.testing.assert_close(imitated(pair, rows(9, 5, to=30)), imitated(pair, rows(9, 5)), rtol=1e-5, atol=1e-6)


def test_task_imitation_trains_neither_teacher_nor_head(pair: tuple[Any, Any]):
    torch.stack(list(imitated(pair, rows(9, 5)).values())).sum().backward()
    teacher, student = pair
    assert all(weight.grad is None for weight in teacher.parameters())
    without = {name.rpartition(".")[0] for name, weight in student.named_parameters() if weight.grad is None}
    assert {"classifier", "bert.pooler.dense"} <= without
    assert not any("layer.0" in name or "embeddings" in name for name in without)


def test_predictions_train_what_imitation_left_alone(pair: tuple[Any, Any]):
    teacher, student = pair
    imitated(pair, rows(9, 5))
    assert not student.bert.pooler.dense.weight.requires_grad
    losses = TaskPrediction(student, classification, hard=1.0, soft=0.0, temperature=1.0)(rows(9, 5, 7))
    losses["hard"].backward()
    assert all(weight.grad is not None for weight in student.parameters())


def test_fine_tuning_minimises_hard_and_soft_by_their_weights(pair: tuple[Any, Any]):
    teacher, student = pair
    batch = rows(9, 5, 7)
    inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    ours, theirs = student(**inputs).logits, teacher(**inputs).logits.detach()
    hard = F.cross_entropy(ours, batch["labels"])
    soft = -(theirs / 3).softmax(-1).mul((ours / 3).log_softmax(-1)).sum(-1).mean() * 9
    found = TaskPrediction(student, classification, hard=0.25, soft=2.0, temperature=3.0)(
        batch | {"teacher_logits": theirs}
    )
    torch.testing.assert_close(found, {"hard": 0.25 * hard, "soft": 2.0 * soft})
    assert set(TaskPrediction(student, classification, hard=1.0, soft=0.0, temperature=1.0)(batch)) == {"hard"}


def test_states_that_a_teacher_shows_are_those_of_its_run(pair: tuple[Any, Any]):
    teacher, _ = pair
    batch = rows(9, 5)
    shown: States = show_rows(teacher, batch, layers=[0, 3], autocast=PRECISE)
    with capture(teacher.bert, [0, 3]) as wanted:
        teacher.bert(**{name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")})
    for part in ("hidden", "query", "key"):
        assert list(getattr(shown, part)) == ([EMBEDDING, 0, 3] if part == "hidden" else [0, 3])
        torch.testing.assert_close(getattr(shown, part), getattr(wanted, part))
        assert not any(one.requires_grad or one.is_inference() for one in getattr(shown, part).values())


def test_a_teacher_rounded_once_shows_the_bits_of_one_rounded_at_every_step(teacher: BertForPreTraining, batch: Any):
    half: Any = lambda: torch.autocast("cpu", dtype=torch.bfloat16)  # noqa: E731
    rounded = rounded_once(teacher, SimpleNamespace(mixed_precision="bf16"))
    found, wanted = (
        show_blocks(one, batch, layers=[1, 4], predictions=True, autocast=half) for one in (rounded, teacher)
    )
    for part in ("hidden", "query", "key"):
        for name, state in getattr(wanted["teacher"], part).items():
            assert torch.equal(getattr(found["teacher"], part)[name], state)
    assert torch.equal(found["teacher_logits"], wanted["teacher_logits"])
    assert {weight.dtype for weight in teacher.parameters()} == {torch.float32}
    assert rounded.cls.predictions.decoder.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("kind", [classification, ner, qa])
def test_a_fine_tuned_teacher_rounded_once_predicts_the_same_bits(config: BertConfig, kind: Any):
    model = random_weights(kind.HEAD.from_config(config))
    accelerator: Any = SimpleNamespace(
        mixed_precision="bf16", autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    )
    with torch.inference_mode(), accelerator.autocast():
        found, wanted = (kind.logits(one(**inputs(rows(9, 5)))) for one in (rounded_once(model, accelerator), model))
    assert torch.equal(found, wanted)


def test_in_float32_a_teacher_is_not_copied(teacher: BertForPreTraining):
    assert rounded_once(teacher, SimpleNamespace(mixed_precision="no")) is teacher
