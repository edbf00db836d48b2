"""The parts of a batch make up the whole, whatever the number of processes."""

from typing import Any

import numpy as np
import pytest
import torch

from stages.tasks import classification, ner, qa, regression
from stages.training.blocks import Masking, mask_blocks
from stages.training.sharing import ALONE, Share, mean_over_processes
from stages.training.task_batches import TaskBatches

CPU = torch.device("cpu")
MASKING = Masking(0.4, False, torch.zeros(99, dtype=torch.bool), range(5), 2, 4)
BLOCKS = np.random.default_rng(3).integers(5, 99, (7, 12)).astype(np.uint16)


def shares(count: int) -> list[Share]:
    return [Share(index, count) for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_row_is_one_processs(count: int) -> None:
    rows = [n for share in shares(count) for n in range(7)[share.rows(7)]]
    assert rows == list(range(7))
    assert all(share.weight(7) == 1.0 for share in shares(count))


def test_a_process_without_a_row_computes_the_first_which_counts_nothing() -> None:
    assert [share.rows(2) for share in shares(3)] == [slice(0, 1), slice(0, 1), slice(1, 2)]
    assert [float(share.weight(2)) for share in shares(3)] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_blocks_are_masked_as_in_the_whole_batch(count: int) -> None:
    whole, *parts = (
        mask_blocks(BLOCKS, masking=MASKING, position=(1, 2), device=CPU, share=share)
        for share in (ALONE, *shares(count))
    )
    for name in ("input_ids", "position_ids", "visible", "targets"):
        assert torch.equal(torch.cat([part[name] for part in parts]), whole[name]), name
    hidden = torch.cat([part["input_ids"].flatten()[part["predicted"]] for part in parts])
    assert torch.equal(hidden, whole["input_ids"].flatten()[whole["predicted"]])
    assert {int(part["tokens"]) for part in parts} == {BLOCKS.size}


def test_rows_of_a_task_are_divided_and_its_tokens_counted_for_all() -> None:
    features = [{"input_ids": [n + 1] * (1 + n % 5), "token_type_ids": [0] * (1 + n % 5), "label": n}
                for n in range(13)]  # fmt: skip
    options: dict[str, Any] = {"batch_size": 5, "seed": 2, "pad_token_id": 0, "device": CPU}
    whole, *parts = (TaskBatches(features, classification, share=share, **options) for share in (ALONE, *shares(4)))
    for step in range(3):
        own = [batch for part in parts if (batch := part(step))["weight"]]
        assert torch.equal(torch.cat([batch["labels"] for batch in own]), whole(step)["labels"])
        assert {int(batch["tokens"]) for batch in own} == {int(whole(step)["attention_mask"].sum())}


class Two:
    """Stands for an accelerator of two processes, the other one having sent `other`."""

    num_processes = 2

    def __init__(self, other: list[list[float]]) -> None:
        self._other = torch.tensor(other)

    def reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor + self._other


def test_a_loss_weighs_as_many_things_as_it_is_the_mean_of() -> None:
    losses, counts = torch.tensor([2.0, float("nan")], requires_grad=True), torch.tensor([3.0, 0.0])
    accelerator: Any = Two([[5.0 * 1, 4.0 * 6], [1, 6]])
    minimised, together = mean_over_processes(losses, counts, accelerator)
    assert together.tolist() == [(2 * 3 + 5 * 1) / 4, 4.0]
    assert minimised.item() == 2 * (2 * 3) / 4
    minimised.backward()
    assert losses.grad is not None and losses.grad.tolist() == [2 * 3 / 4, 0.0]


def test_a_loss_that_no_process_has_anything_for_is_0() -> None:
    losses, counts = torch.tensor([2.0, 7.0], requires_grad=True), torch.tensor([3.0, 0.0])
    accelerator: Any = Two([[5.0 * 1, 0.0], [1, 0]])
    minimised, together = mean_over_processes(losses, counts, accelerator)
    assert together.tolist() == [(2 * 3 + 5 * 1) / 4, 0.0]
    minimised.backward()
    assert losses.grad is not None and losses.grad.tolist() == [2 * 3 / 4, 0.0]


def test_kinds_count_what_their_losses_are_means_of() -> None:
    batch = {"labels": torch.tensor([[0, ner.UNLABELLED, 2], [ner.UNLABELLED, 1, ner.UNLABELLED]])}
    assert ner.count(batch) == 3
    assert classification.count({"labels": torch.tensor([0, 1, 0, 2])}) == 4
    assert regression.count({"labels": torch.tensor([0.0, -1.5])}) == 2
    assert qa.count({"start_positions": torch.tensor([0, 3, 0])}) == 3
