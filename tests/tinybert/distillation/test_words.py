"""Where two tokenizers differ, losses are of words: with words of one piece each they are those of tokens."""

from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from transformers import BertForPreTraining, BertForSequenceClassification, BertTokenizer

from tests.tiny_bert import BLOCKS, CUT
from tinybert.data.retokenizing import Retokenizer
from tinybert.data.tokenizer import build_tokenizer
from tinybert.distillation.general import Learner, distill
from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.projections import projections_from
from tinybert.distillation.task import IMPOSSIBLE, TaskIntermediateDistillation, TeacherVocabulary, task_targets
from tinybert.distillation.teacher import EMBEDDING, States
from tinybert.distillation.words import align, by_word
from tinybert.errors import InputError
from tinybert.pruning.cut import apply_cut, first_channels
from tinybert.pruning.vocabulary import reduce_embeddings, reduce_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEACHERS = build_tokenizer([*SPECIAL, "abc", "a", "b", "##b", "##c", "##bc", "##d"], lowercase=True, max_length=32)
OWN = reduce_tokenizer(TEACHERS, [0, 1, 2, 3, 4, 6, 7, 8, 9, 11])
"""Without abc and ##bc: 5 a, 6 b, 7 ##b, 8 ##c, 9 ##d."""
IDS = torch.tensor([[2, 5, 11, 7, 3], [2, 6, 3, 0, 0]])
"""[CLS] abc##d b [SEP], and [CLS] a [SEP]."""
WEIGHTS = {"embedding": 1.0, "hidden": 2.0, "attention": 0.5, "relation": 1.0, "cosine": 1.0}
LAYERS = CUT["layers"]


def test_a_batch_is_retokenized_and_its_words_are_matched() -> None:
    aligned = align(IDS, IDS != 0, Retokenizer(TEACHERS, OWN), pad_token_id=0, longest=9)
    assert aligned.ids_BT.tolist() == [[2, 5, 7, 8, 9, 6, 3], [2, 5, 3, 0, 0, 0, 0]]
    assert aligned.real_BT.sum(1).tolist() == [7, 3]
    assert aligned.source.last_BW.tolist() == [[0, 2, 3, 4], [0, 1, 2, 0]]
    assert aligned.target.last_BW.tolist() == [[0, 4, 5, 6], [0, 1, 2, 0]]
    assert aligned.target.index_BL.tolist() == [[0, 1, 1, 1, 1, 2, 3], [0, 1, 2, 4, 4, 4, 4]]
    assert aligned.real_BW.tolist() == [[True] * 4, [True] * 3 + [False]]


@pytest.mark.parametrize(("longest", "words"), [(7, 4), (6, 3), (5, 2), (4, 1), (2, 1)])
def test_a_word_that_is_cut_through_is_not_compared(longest: int, words: int) -> None:
    aligned = align(IDS[:1], IDS[:1] != 0, Retokenizer(TEACHERS, OWN), pad_token_id=0, longest=longest)
    assert aligned.ids_BT.shape == (1, longest) and aligned.real_BW.sum() == words
    assert aligned.target.last_BW.max() < longest


def test_a_words_state_is_its_last_pieces_and_its_scores_are_the_mean_over_pieces() -> None:
    words = align(IDS, IDS != 0, Retokenizer(TEACHERS, OWN), pad_token_id=0, longest=9).target
    hidden, query, key = (torch.randn(2, 7, 6) for _ in range(3))
    states = by_word(States({EMBEDDING: key, 0: hidden}, {0: query}, {0: key}, {}), words)
    assert torch.equal(states.hidden[0][0], hidden[0, [0, 4, 5, 6]])
    torch.testing.assert_close(states.hidden[EMBEDDING][0, 1], key[0, 1:5].mean(0))
    scores = query[0] @ key[0].T
    expected = scores[1:5, 5].mean(), scores[1:5, 1:5].mean(), scores[0, 6]
    found = states.query[0][0] @ states.key[0][0].T
    torch.testing.assert_close(torch.stack([found[1, 2], found[1, 1], found[0, 3]]), torch.stack(expected))


def student_of(teacher: BertForPreTraining) -> BertForPreTraining:
    return apply_cut(teacher, first_channels(teacher.config, **CUT))


def kept_of(tokenizer: BertTokenizer) -> list[int]:
    """What BLOCKS hold, and what may be drawn in place of a masked token; here all but a few."""
    return [n for n in range(len(tokenizer)) if n not in (20, 33, 77)]


def test_general_distillation_is_the_same_with_a_vocabulary_that_lacks_what_no_text_has(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator
) -> None:
    kept, curves = kept_of(tokenizer), []
    for own in (None, reduce_tokenizer(tokenizer, kept)):
        student = student_of(teacher)
        student = reduce_embeddings(student, kept, pad_token_id=0) if own else student
        maps = projections_from(torch.eye(36)[:, :20], states=3)
        learner = Learner(student, maps, LAYERS, own)
        distill([learner], teacher, BLOCKS, tokenizer=tokenizer, weights=WEIGHTS, relation_heads=4, steps=4,
                batch_size=2, mask_probability=0.0, accelerator=accelerator)  # fmt: skip
        curves.append(learner.state.curve)
    for plain, reduced in zip(*curves, strict=True):
        assert plain == pytest.approx(reduced, rel=1e-4)


def test_losses_of_the_mlm_head_are_refused_where_the_vocabularies_differ(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator
) -> None:
    own = reduce_tokenizer(tokenizer, kept_of(tokenizer))
    with pytest.raises(InputError, match="^losses.hard is 0.5, but the student's vocabulary is not its teacher's; exp"):
        learner = Learner(student_of(teacher), projections_from(torch.eye(36)[:, :20], states=3), LAYERS, own)
        distill([learner], teacher, BLOCKS, tokenizer=tokenizer, steps=1, weights={"hard": 0.5},
                accelerator=accelerator)  # fmt: skip


def test_the_losses_on_a_tasks_rows_are_the_same_too(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator
) -> None:
    kept = kept_of(tokenizer)
    own = reduce_tokenizer(tokenizer, kept)
    ids = torch.tensor([[2, 17, 44, 3, 61, 3], [2, 30, 3, 0, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long(),
             "token_type_ids": torch.tensor([[0, 0, 0, 0, 1, 1], [0] * 6])}  # fmt: skip
    vocabulary = TeacherVocabulary(Retokenizer(own, tokenizer), pad_token_id=0, longest=40)
    inner = IntermediateDistillation(
        projections_from(torch.eye(36)[:, :20], states=3),
        student_of(teacher).config,
        teacher.config,
        teacher_layers=LAYERS,
        weights=WEIGHTS,
        relation_heads=4,
    )

    def losses(pretrained: BertForPreTraining, batch: Any) -> dict[str, torch.Tensor]:
        model = BertForSequenceClassification(pretrained.config).eval()
        model.bert.load_state_dict(pretrained.bert.state_dict())
        return TaskIntermediateDistillation(model, inner)(batch)

    def targets(batch: Any) -> States:
        return task_targets(teacher, batch, layers=LAYERS, autocast=accelerator.autocast, values=LAYERS[-1:])

    expected = losses(student_of(teacher), batch | {"teacher": targets(batch)})
    renumbered = batch | {"input_ids": torch.tensor([[kept.index(n) for n in row] for row in ids.tolist()])}
    inputs, _ = vocabulary.inputs(renumbered)
    assert all(torch.equal(inputs[name], tensor) for name, tensor in batch.items())
    reduced = reduce_embeddings(student_of(teacher), kept, pad_token_id=0)
    found = losses(reduced, vocabulary.with_targets(renumbered, targets))
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss, msg=name)


@pytest.mark.parametrize("longest", [32, 4])
def test_a_teachers_logits_go_to_the_first_and_the_last_pieces_of_a_word(longest: int) -> None:
    """[CLS] abc##d b [SEP]: two pieces of the teacher's are four of the student's. With four positions [SEP] is cut."""
    vocabulary = TeacherVocabulary(Retokenizer(OWN, TEACHERS), pad_token_id=0, longest=longest)
    feature = {"row": 0, "input_ids": [2, 5, 7, 8, 9, 6, 3], "token_type_ids": [0, 0, 0, 0, 0, 1, 1]}
    (theirs,) = vocabulary.features([feature])
    assert theirs["input_ids"] == [2, 5, 11, 7, 3][:longest] and theirs["token_type_ids"] == [0, 0, 0, 1, 1][:longest]
    (logits,) = vocabulary.own_pieces([np.arange(5.0)[:longest, None] * np.ones(2)], [feature], of_last=(1,))
    no, end = IMPOSSIBLE, 4 if longest > 4 else IMPOSSIBLE
    assert logits[:, 0].tolist() == [0, 1, no, no, no, 3, end]
    assert logits[:, 1].tolist() == [0, no, no, no, 2, 3, end]
    assert vocabulary.own_pieces([np.array([1.0, 2.0])], [feature], of_last=())[0].tolist() == [1, 2]
