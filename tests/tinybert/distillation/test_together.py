"""Students that are distilled together, by one pass of their teacher, have the bits that each has alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import BertForPreTraining, BertTokenizer

from tests.tiny_bert import BLOCKS, CUT, same_weights
from tinybert.distillation import general
from tinybert.distillation.deviations import BATCHES
from tinybert.distillation.general import Learner, distill
from tinybert.distillation.projections import projections_from
from tinybert.errors import InputError
from tinybert.pruning.cut import apply_cut, first_channels
from tinybert.pruning.vocabulary import reduce_embeddings, reduce_tokenizer
from tinybert.training import loop, resume
from tinybert.training.progress import Progress

LAYERS = {"two": [1, 4], "one": [3], "own": [0, 2]}
STEPS = 5
OPTIONS: dict[str, Any] = {
    "steps": STEPS, "batch_size": 2, "dropout": 0.1, "relation_heads": 2,
    "weights": {"embedding": 1.0, "attention": 1.0, "standardized": 1.0, "relation": 1.0},
}  # fmt: skip


def learners(teacher: BertForPreTraining, tokenizer: BertTokenizer, folder: Path | None = None) -> dict[str, Learner]:
    """Of two layers, of one, and with a vocabulary of its own; each is to learn from other layers."""
    kept = [n for n in range(len(tokenizer)) if n not in (20, 33, 77)]
    made: dict[str, Learner] = {}
    for name, layers in LAYERS.items():
        cut = first_channels(teacher.config, layers=layers, shape=CUT["shape"])
        student, own = apply_cut(teacher, cut), reduce_tokenizer(tokenizer, kept) if name == "own" else None
        student = reduce_embeddings(student, kept, pad_token_id=0) if own else student
        maps = projections_from(cut.basis(36), states=len(layers) + 1)
        made[name] = Learner(student, maps, layers, own, folder=folder and folder / name)
    return made


def same(a: Learner, b: Learner) -> bool:
    return a.state == b.state and same_weights(a.student, b.student) and same_weights(a.projections, b.projections)


def test_each_has_its_own_bits_and_the_teacher_runs_once_a_batch(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = learners(teacher, tokenizer), learners(teacher, tokenizer)
    for learner in alone.values():
        distill([learner], teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)
    passes, targets = list[list[int]](), general.corpus_targets

    def counted(*arguments: Any, **options: Any) -> Any:
        passes.append(options["layers"])
        return targets(*arguments, **options)

    monkeypatch.setattr(general, "corpus_targets", counted)
    distill([*together.values()], teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)
    assert passes.count([0, 1, 2, 3, 4]) == STEPS
    assert len(passes) == STEPS + 3 * BATCHES, "and those for the deviations of each one's layers"
    for name, learner in together.items():
        assert same(learner, alone[name]) and len(learner.state.curve) == STEPS, name
        assert not learner.student.training
    assert not same_weights(together["two"].student, learners(teacher, tokenizer)["two"].student)


def test_each_goes_on_from_its_own_resume_point_and_a_finished_one_has_nothing_left_to_do(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(resume, "FIRST_WAIT", -1.0)
    monkeypatch.setattr(resume, "COST", -1.0)
    expected = learners(teacher, tokenizer)
    distill([*expected.values()], teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)

    update, left = loop._update, iter([True] * 3 + [False])

    def killed(*arguments: Any, **options: Any) -> Any:
        if not next(left):
            raise KeyboardInterrupt
        return update(*arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_update", killed)
        ahead = learners(teacher, tokenizer, tmp_path)["two"]
        distill([ahead], teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)
    for order in (["one", "two", "own"], ["own"]):
        resumed = [learners(teacher, tokenizer, tmp_path)[name] for name in order]
        distill(resumed, teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)
        assert all(same(learner, expected[name]) for name, learner in zip(order, resumed, strict=True))


def test_what_ends_another_one_leaves_the_first_alone(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, both = learners(teacher, tokenizer)["two"], learners(teacher, tokenizer)
    distill([alone], teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)
    with torch.no_grad():
        both["one"].student.bert.embeddings.word_embeddings.weight.fill_(torch.inf)
    both["one"].progress = Progress("distill one")
    distill([both["two"], both["one"]], teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)
    assert same(both["two"], alone)
    assert "distill one: ends here, the others go on: step 1: loss" in capsys.readouterr().out
    with pytest.raises(InputError, match="^step 1: loss 'embedding' is nan, training has diverged"):
        distill([both["one"]], teacher, BLOCKS, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS)
