"""Fine-tuning ends with the weights of its best epoch, also when it was killed and resumed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from tinybert.finetuning.fit import TaskBatches, fit
from tinybert.training import loop, resume
from tinybert.training.sampling import generator


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer, self.dropout = nn.Linear(6, 3), nn.Dropout(0.3)

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        return {"loss": (self.dropout(self.layer(batch["x"])) - 1).pow(2).mean()}


class Batches:
    """Three in an epoch; the run is interrupted before step `end`."""

    steps_in_epoch = 3

    def __init__(self, end: int = 10**9) -> None:
        self._end = end

    def __call__(self, step: int) -> dict[str, Any]:
        if step == self._end:
            raise InterruptedError
        return {"x": torch.randn(4, 6, generator=generator(1, step)), "tokens": torch.tensor(4)}


class Validation:
    """Scores given beforehand; remembers the weights that got them."""

    def __init__(self, model: Model, scores: list[float]) -> None:
        self._model, self._scores = model, iter(scores)
        self.weights: list[dict[str, torch.Tensor]] = []

    def __call__(self) -> float:
        self.weights.append({name: weight.detach().clone() for name, weight in self._model.named_parameters()})
        return next(self._scores)


def fitted(
    model: Model, score: Validation, folder: Path | None = None, *, epochs: int = 3, end: int = 10**9
) -> list[dict[str, Any]]:
    batches: Any = Batches(end)
    return fit(
        model, model, batches=batches, epochs=epochs, learning_rate=0.1, warmup=0.1, weight_decay=0.0, seed=4,
        accelerator=Accelerator(cpu=True, mixed_precision="no"), folder=folder, score=score,
    )  # fmt: skip


def equal(model: Model, weights: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(weight, weights[name]) for name, weight in model.named_parameters())


@pytest.mark.parametrize(
    ("scores", "best"), [([0.1, 0.5, 0.2], 1), ([0.5, 0.5, 0.5], 0), ([0.1, 0.2, 0.3], 2), ([-2.0, -1.0, -3.0], 1)]
)
def test_the_first_of_the_best_epochs_is_kept(scores: list[float], best: int):
    model = Model()
    score = Validation(model, scores)
    curve = fitted(model, score)
    assert len(score.weights) == 3
    assert equal(model, score.weights[best])
    assert not equal(model, score.weights[best - 1])
    assert [(row["step"], row["validation"]) for row in curve if "validation" in row] == list(
        zip((3, 6, 9), scores, strict=True)
    )


@pytest.mark.parametrize("end", [2, 3, 4, 7, 8])
def test_the_best_epoch_is_remembered_by_a_resumed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: int):
    scores = [0.1, 0.5, 0.2]
    monkeypatch.setattr(resume, "FIRST_WAIT", -1.0)
    monkeypatch.setattr(resume, "COST", -1.0)
    undisturbed = Model()
    expected = fitted(undisturbed, Validation(undisturbed, scores), tmp_path / "one")
    first = Model()
    with pytest.raises(InterruptedError):
        fitted(first, Validation(first, scores), tmp_path / "two", end=end)
    again = Model()
    curve = fitted(again, Validation(again, scores[end // 3 :]), tmp_path / "two")
    assert curve == expected
    assert equal(again, {name: weight.detach() for name, weight in undisturbed.named_parameters()})


def test_the_rows_of_an_epochs_end_leave_the_means_between_them_right(monkeypatch: pytest.MonkeyPatch):
    def losses() -> list[float]:
        model = Model()
        curve = fitted(model, Validation(model, [0.1, 0.2, 0.3]))
        return [row["loss"] for row in curve if "loss" in row]

    monkeypatch.setattr(loop, "POINTS", 9)
    each = losses()
    monkeypatch.setattr(loop, "POINTS", 2)
    assert losses() == pytest.approx([sum(each[:4]) / 4, sum(each[4:8]) / 4, each[8]], abs=1e-5)


class Task:
    """As much of a TaskModel as batches need."""

    @staticmethod
    def collate(features: list[dict], *, pad_token_id: int) -> dict[str, torch.Tensor]:
        longest = max(len(feature["input_ids"]) for feature in features)
        ids = [feature["input_ids"] + [pad_token_id] * (longest - len(feature["input_ids"])) for feature in features]
        return {"input_ids": torch.tensor(ids), "attention_mask": (torch.tensor(ids) != pad_token_id).long()}


def test_batches_of_a_task_hold_every_feature_once_an_epoch_and_count_real_tokens():
    features = [{"input_ids": [n + 1] * (1 + n % 5)} for n in range(23)]
    task: Any = Task
    batches = TaskBatches(features, task, batch_size=4, seed=2, pad_token_id=0, device=torch.device("cpu"))
    assert batches.steps_in_epoch == 6
    for epoch in range(2):
        seen = [batches(epoch * 6 + step) for step in range(6)]
        assert sorted(n for batch in seen for n in batch["input_ids"][:, 0].tolist()) == list(range(1, 24))
        assert sum(int(batch["tokens"]) for batch in seen) == sum(len(feature["input_ids"]) for feature in features)
    assert torch.equal(batches(3)["input_ids"], batches(3)["input_ids"])
