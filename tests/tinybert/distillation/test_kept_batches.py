"""Batches with their teacher's states are kept over epochs: the same weights, with fewer passes of the teacher."""

from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tests.tiny_bert import CONFIG, same_weights
from tinybert.distillation.intermediate import IntermediateDistillation
from tinybert.distillation.projections import projections_from
from tinybert.distillation.task import KeptBatches, TaskIntermediateDistillation, task_targets
from tinybert.distillation.teacher import States
from tinybert.finetuning.fit import TaskBatches
from tinybert.tasks.classification import model as classification
from tinybert.training.devices import set_up
from tinybert.training.loop import train

LAYERS, EPOCHS = [1, 4], 3
FEATURES = [{"input_ids": [2, *range(10 + n, 12 + n + n % 7), 3], "token_type_ids": [0] * (4 + n % 7), "label": 0}
            for n in range(18)]  # fmt: skip
CPU: dict[str, Any] = {"pad_token_id": 0, "device": torch.device("cpu")}


def of_task(*, regroup: bool) -> TaskBatches:
    return TaskBatches(FEATURES, classification, batch_size=4, seed=2, regroup=regroup, **CPU)


def model(**changes: int) -> Any:
    torch.manual_seed(1)
    return BertForSequenceClassification(BertConfig.from_dict(CONFIG | changes)).eval()


def distilled(limit: int) -> tuple[Any, list[int]]:
    """A student after EPOCHS, and the steps in which its teacher computed."""
    accelerator, teacher, student = set_up(threads=1, precision="float32"), model(), model(num_hidden_layers=2)
    maps = projections_from(torch.eye(36), states=3)
    weights = {"hidden": 1.0, "attention": 1.0}
    intermediate = IntermediateDistillation(
        maps, student.config, teacher.config, teacher_layers=LAYERS, weights=weights
    )
    batches, computed = of_task(regroup=False), list[int]()

    def make(step: int) -> Any:
        computed.append(step)
        batch = batches(step)
        return batch | {"teacher": task_targets(teacher, batch, layers=LAYERS, autocast=accelerator.autocast)}

    last = (EPOCHS - 1) * batches.steps_in_epoch
    kept = KeptBatches(make, group=batches.group, last_epoch=last, limit=lambda: limit)
    for _ in train(
        TaskIntermediateDistillation(student, intermediate), batches=kept,
        steps=EPOCHS * batches.steps_in_epoch, learning_rate=0.01, warmup=0.1, weight_decay=0.01, seed=1,
        accelerator=accelerator,
    ):  # fmt: skip
        pass
    return student, computed


def test_an_epoch_has_the_groups_of_the_first_in_another_order_and_regrouped_others():
    for regroup in (False, True):
        batches = of_task(regroup=regroup)
        epochs = [[batches(step)["input_ids"].tolist() for step in range(first, first + 5)] for first in (0, 5)]
        assert epochs[0] != epochs[1]
        assert (sorted(epochs[0]) == sorted(epochs[1])) == (not regroup)
        first, second = ([batches.group(step) for step in range(n, n + 5)] for n in (0, 5))
        assert sorted(first) == sorted(second) == list(range(5))
        same = [a == b for a in first for b in second] == [a == b for a in epochs[0] for b in epochs[1]]
        assert same == (not regroup)


def test_what_is_kept_decides_the_passes_of_the_teacher_and_no_weight():
    student, computed = distilled(limit=10**9)
    again = [step for step in range(5, 10) if of_task(regroup=False).group(step) == of_task(regroup=False).group(0)]
    assert computed == [*range(5), *again], "the first batch is kept from its second time on"
    without, every = distilled(limit=0)
    assert every == list(range(15))
    assert same_weights(without, student) and not same_weights(model(num_hidden_layers=2), student)
    longest = 4 * 10 * 36 * 4 * (3 + 2 * 2)  # bytes of 4 rows of 10 tokens: outputs, queries and keys
    few, some = distilled(limit=2 * longest)
    assert 5 < len(some) < 15
    assert same_weights(few, student)


def test_a_batch_beyond_the_limit_is_made_again():
    made: list[int] = []

    def make(step: int) -> Any:
        made.append(step)
        return {"teacher": States(hidden={0: torch.zeros(25)})}  # 100 bytes

    kept = KeptBatches(make, group=lambda step: step % 4, last_epoch=8, limit=lambda: 250)
    for step in range(12):
        kept(step)
    assert made == [0, 1, 2, 3, 4, 7, 8, 11], "1 and 2 are kept"


def test_of_a_single_epoch_nothing_is_kept():
    def ask() -> int:
        raise AssertionError("nobody needs to know")

    kept = KeptBatches(lambda step: {"teacher": States()}, group=lambda step: step, last_epoch=0, limit=ask)
    assert [*map(kept, range(3))] == [{"teacher": States()}] * 3


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
