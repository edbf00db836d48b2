"""The shards of a batch make up the whole, whatever the number of processes."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.tiny_bert import MASKING
from tinybert.finetuning.fit import TaskBatches
from tinybert.pretraining.masking import mask_blocks
from tinybert.tasks.classification import model as classification
from tinybert.tasks.encoding import NO_LABEL
from tinybert.tasks.ner import model as ner
from tinybert.tasks.qa import model as qa
from tinybert.tasks.regression import model as regression
from tinybert.training.data_parallel import UNSHARDED, Shard, mean_over_processes

CPU = torch.device("cpu")
BLOCKS = np.random.default_rng(3).integers(5, 99, (7, 12)).astype(np.uint16)


def shards(count: int) -> list[Shard]:
    return [Shard(index, count) for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_row_is_in_one_shard_and_every_process_has_one(count: int) -> None:
    rows = [n for shard in shards(count) for n in range(7)[shard.rows(7)]]
    assert rows == list(range(7))
    assert all(shard.weight(7) == 1.0 for shard in shards(count))
    # A process without rows computes the first with weight 0.
    assert [shard.rows(2) for shard in shards(3)] == [slice(0, 1), slice(0, 1), slice(1, 2)]
    assert [float(shard.weight(2)) for shard in shards(3)] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_blocks_are_masked_as_in_the_whole_batch(count: int) -> None:
    whole, *parts = (
        mask_blocks(BLOCKS, masking=MASKING, position=(1, 2), device=CPU, shard=shard)
        for shard in (UNSHARDED, *shards(count))
    )
    for name in ("input_ids", "position_ids", "visible", "targets"):
        assert torch.equal(torch.cat([part[name] for part in parts]), whole[name]), name
    masked = torch.cat([part["input_ids"].flatten()[part["predicted"]] for part in parts])
    assert torch.equal(masked, whole["input_ids"].flatten()[whole["predicted"]])
    assert {int(part["tokens"]) for part in parts} == {BLOCKS.size}


def test_rows_of_a_task_are_sharded_and_tokens_are_those_of_the_whole_batch() -> None:
    features = [{"input_ids": [n + 1] * (1 + n % 5), "token_type_ids": [0] * (1 + n % 5), "label": n}
                for n in range(13)]  # fmt: skip
    options: dict[str, Any] = {"batch_size": 5, "seed": 2, "pad_token_id": 0, "device": CPU}
    whole, *parts = (TaskBatches(features, classification, shard=shard, **options) for shard in (UNSHARDED, *shards(4)))
    for step in range(3):
        own = [batch for part in parts if (batch := part(step))["weight"]]
        assert torch.equal(torch.cat([batch["labels"] for batch in own]), whole(step)["labels"])
        assert {int(batch["tokens"]) for batch in own} == {int(whole(step)["attention_mask"].sum())}


class TwoProcesses:
    """An accelerator of two processes, of which the other has sent `other`."""

    num_processes = 2

    def __init__(self, other: list[list[float]]) -> None:
        self._other = torch.tensor(other)

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor + self._other


@pytest.mark.parametrize(("other", "count"), [(4.0, 6), (0.0, 0)])  # of the second loss, which has no elements here
def test_a_loss_weighs_as_many_elements_as_it_is_the_mean_of(other: float, count: int) -> None:
    losses, counts = torch.tensor([2.0, float("nan")], requires_grad=True), torch.tensor([3.0, 0.0])
    accelerator: Any = TwoProcesses([[5.0 * 1, other * count], [1, count]])
    minimised, mean = mean_over_processes(losses, counts, accelerator)
    assert mean.tolist() == [(2 * 3 + 5 * 1) / 4, other]
    assert minimised.item() == 2 * (2 * 3) / 4
    minimised.backward()
    assert losses.grad is not None and losses.grad.tolist() == [2 * 3 / 4, 0.0]


def test_tasks_count_the_elements_that_their_losses_are_means_of() -> None:
    batch = {"labels": torch.tensor([[0, ner.NO_TAG, 2], [ner.NO_TAG, 1, ner.NO_TAG]])}
    assert ner.counts(batch) == {"hard": 3, "soft": 3}
    assert classification.counts({"labels": torch.tensor([0, 1, 0, 2])}) == {"hard": 4, "soft": 4}
    assert regression.counts({"labels": torch.tensor([0.0, -1.5])}) == {"hard": 2, "soft": 2}
    assert qa.counts({"start_positions": torch.tensor([0, 3, 0])}) == {"hard": 3, "soft": 3}


def test_a_row_without_labels_is_no_element_of_the_hard_loss() -> None:
    batch = {"labels": torch.tensor([[0, ner.NO_TAG, NO_LABEL], [ner.NO_TAG, 1, ner.NO_TAG]])}
    assert ner.counts(batch) == {"hard": 2, "soft": 3}
    assert classification.counts({"labels": torch.tensor([0, NO_LABEL, 2])}) == {"hard": 2, "soft": 3}
    assert regression.counts({"labels": torch.tensor([float("nan"), -1.5])}) == {"hard": 1, "soft": 2}
    assert qa.counts({"start_positions": torch.tensor([NO_LABEL, NO_LABEL, 0])}) == {"hard": 1, "soft": 3}
