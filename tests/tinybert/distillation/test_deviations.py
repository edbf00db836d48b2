"""Deviations of a teacher's channels: over the real tokens of all batches, the same whatever the process."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from transformers import BertForPreTraining, BertTokenizer

from tests.tiny_bert import BLOCKS, CUT, INPUTS, MASKING
from tinybert.distillation import general
from tinybert.distillation.deviations import BATCHES, FLOOR, channel_deviations
from tinybert.distillation.general import Learner, corpus_targets, distill
from tinybert.distillation.projections import projections_from
from tinybert.distillation.task import task_deviations
from tinybert.distillation.teacher import States, capture
from tinybert.pretraining.masking import masked_batch
from tinybert.pruning.cut import apply_cut, first_channels
from tinybert.training.data_parallel import Shard

PRECISE: Any = partial(torch.autocast, "cpu", enabled=False)


def test_deviations_are_those_of_all_real_tokens_at_each_layer():
    batches = [(torch.randn(2, 5, 7) * 3 + 50, torch.rand(2, 5) < 0.6) for _ in range(3)]
    batches = [(output, real, torch.randn(2, 5, 7)) for output, real in batches]
    states = [(States(hidden={1: first, 4: second}), real) for first, real, second in batches]
    deviations_MD = channel_deviations(states, layers=[4, 1])
    for row, place in ((0, 2), (1, 0)):
        tokens = torch.cat([batch[place][batch[1]] for batch in batches])
        torch.testing.assert_close(deviations_MD[row], tokens.std(0, correction=0), rtol=1e-5, atol=1e-6)
    assert deviations_MD.dtype == torch.float32


def test_a_channel_that_does_not_vary_has_a_share_of_the_mean_deviation():
    output = torch.randn(2, 50, 4)
    output[..., 2] = 7.0
    deviations = channel_deviations([(States(hidden={0: output}), torch.ones(2, 50).bool())], layers=[0])[0]
    expected = output.flatten(0, 1).std(0, correction=0)
    torch.testing.assert_close(deviations[2], FLOOR * expected.mean())
    torch.testing.assert_close(deviations[[0, 1, 3]], expected[[0, 1, 3]])


def by_hand(tokens: list[torch.Tensor]) -> torch.Tensor:
    """From the tokens [N, D] of each layer."""
    deviations_MD = torch.stack([tokens_ND.std(0, correction=0) for tokens_ND in tokens])
    return torch.maximum(deviations_MD, FLOOR * deviations_MD.mean(-1, keepdim=True))


def test_those_of_a_task_are_of_its_first_batches_without_padding(teacher: BertForPreTraining):
    inputs = INPUTS | {"token_type_ids": torch.zeros_like(INPUTS["input_ids"])}
    steps: list[int] = []

    def batches(step: int) -> dict[str, torch.Tensor]:
        steps.append(step)
        return inputs

    deviations_MD = task_deviations(teacher, batches, layers=[1, 4], autocast=PRECISE)
    assert steps == list(range(BATCHES))
    with torch.no_grad(), capture(teacher.bert, [1, 4]) as states:
        teacher.bert(**inputs)
    real = INPUTS["attention_mask"].bool()
    expected = by_hand([states.hidden[n][real] for n in (1, 4)])
    torch.testing.assert_close(deviations_MD, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shard", [Shard(0, 1), Shard(1, 2)], ids=str)
def test_distilling_takes_those_of_the_first_blocks_masked_in_every_process(
    teacher: BertForPreTraining, tokenizer: BertTokenizer, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch,
    shard: Shard,
):  # fmt: skip
    blocks = np.concatenate([BLOCKS] * 20)
    monkeypatch.setattr(general, "masking_for", lambda *_, **__: MASKING)
    monkeypatch.setattr(general, "shard_of", lambda _: shard)
    seen: list[torch.Tensor] = []

    def train(objective: Any, **_: Any) -> list[int]:
        seen.append(objective.intermediate.deviations_MD)
        return []

    monkeypatch.setattr(general, "train", train)
    cut = first_channels(teacher.config, **CUT)
    learner = Learner(apply_cut(teacher, cut), projections_from(cut.basis(36), states=3), [1, 4])
    distill([learner], teacher, blocks, tokenizer=tokenizer, seed=3, batch_size=4, weights={"standardized": 1.0},
            accelerator=accelerator)  # fmt: skip
    first = [masked_batch(blocks, step, batch_size=general.DEVIATION_ROWS, seed=3, masking=MASKING,
                          device=accelerator.device) for step in range(BATCHES)]  # fmt: skip
    targets = [corpus_targets(teacher, batch, layers=[1, 4], predictions=False, autocast=PRECISE) for batch in first]
    expected = by_hand([torch.cat([t["teacher"].hidden[n] for t in targets]).flatten(0, 1) for n in (1, 4)])
    torch.testing.assert_close(seen, [expected], rtol=1e-5, atol=1e-6)
