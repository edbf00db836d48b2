"""General distillation from Python: a training with the defaults, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForPreTraining, BertModel, BertTokenizer

from tests.tiny_bert import BLOCKS, CUT, same_weights
from tinybert.distillation import general
from tinybert.distillation.general import EQUAL_WEIGHTS, GeneralDistillation, Learner, corpus_targets, distill
from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.projections import projections_from
from tinybert.errors import InputError
from tinybert.model.checkpoint import load_checkpoint
from tinybert.pretraining.masking import masked_batch, masking_for
from tinybert.pruning.cut import apply_cut, first_channels
from tinybert.training.loop import train

LAYERS = CUT["layers"]


def parts(teacher: BertForPreTraining) -> tuple[BertForPreTraining, torch.nn.ModuleList]:
    """A student and its projections."""
    cut = first_channels(teacher.config, **CUT)
    return apply_cut(teacher, cut), projections_from(cut.basis(36), states=3)


def test_distilling_is_training_on_masked_batches_with_their_targets(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(general, "set_up", lambda: accelerator)
    student, projections = parts(teacher)
    learner = Learner(student, projections, LAYERS)
    distill([learner], teacher, BLOCKS, tokenizer=tokenizer, steps=5, batch_size=2)

    other, maps = parts(teacher)
    weights = {name: weight for name, weight in EQUAL_WEIGHTS.items() if name != "prediction"}
    inner = IntermediateDistillation(maps, other.config, teacher.config, teacher_layers=LAYERS, weights=weights)
    masking = masking_for(tokenizer, probability=0.2, whole_words=False, vocab_size=99)

    def batch(step: int):
        masked = masked_batch(BLOCKS, step, batch_size=2, seed=0, masking=masking, device=accelerator.device)
        return masked | corpus_targets(teacher, masked, layers=LAYERS, predictions=True, autocast=accelerator.autocast)

    objective = GeneralDistillation(other, inner, prediction=1.0, temperature=1.0)
    done = train(objective, batches=batch, steps=5, learning_rate=1e-3, warmup=0.1, weight_decay=0.01, seed=0,
                 accelerator=accelerator)  # fmt: skip
    assert list(done) == [row["step"] for row in learner.state.curve] == [1, 2, 3, 4, 5]
    assert same_weights(student, other) and same_weights(projections, maps)
    assert not student.training


@pytest.mark.parametrize("name", ["prediction", "hard"])
def test_losses_of_a_random_head_are_refused(
    config: BertConfig, tokenizer: BertTokenizer, accelerator: Accelerator, tmp_path: Path, name: str
):
    BertModel(config).save_pretrained(tmp_path)
    teacher = load_checkpoint(tmp_path)
    learner = Learner(*parts(teacher), LAYERS)
    options: dict[str, Any] = {"tokenizer": tokenizer, "steps": 1, "batch_size": 2, "accelerator": accelerator}
    weights = EQUAL_WEIGHTS | {"prediction": 0.0}
    with pytest.raises(InputError, match=f"^losses.{name} is 1.0, but the teacher's checkpoint has no MLM head"):
        distill([learner], teacher, BLOCKS, **options, weights=weights | {name: 1.0})
    distill([learner], teacher, BLOCKS, **options, weights=weights)


def test_a_loss_that_there_is_not_is_refused(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator
):
    learner = Learner(*parts(teacher), LAYERS)
    with pytest.raises(InputError, match="^losses: expected embedding, hidden, .*relation, got relatoin$"):
        distill([learner], teacher, BLOCKS, tokenizer=tokenizer, weights={"hidden": 1.0, "relatoin": 1.0},
                accelerator=accelerator)  # fmt: skip


def test_any_mixture_lowers_its_losses(teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator):
    weights = {"standardized": 1e-4, "cosine": 1.0, "patience": 1.0, "relation": 1.0, "hard": 1.0}
    learner = Learner(*parts(teacher), LAYERS)
    distill([learner], teacher, BLOCKS, tokenizer=tokenizer, steps=60, batch_size=2, learning_rate=1e-2,
            weights=weights, relation_heads=2, accelerator=accelerator)  # fmt: skip
    curve = learner.state.curve
    assert set(curve[0]) == {"step", "learning_rate", *weights}
    assert all(curve[-1][name] < 0.9 * curve[0][name] for name in weights)
