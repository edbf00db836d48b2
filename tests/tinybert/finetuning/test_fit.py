"""Fine-tuning ends with the weights of its best epoch, also when it was killed and resumed."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from tests.tiny_bert import same_weights
from tinybert.finetuning.fit import TaskBatches, fit
from tinybert.tasks.classification import model as classification
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


def fitted(
    scores: list[float], folder: Path | None = None, *, end: int = 10**9
) -> tuple[list[dict[str, Any]], Model, list[Model]]:
    """The curve, the model, and the model as it was at each validation, whose scores are given beforehand."""
    model, models, remaining = Model(), list[Model](), iter(scores)
    batches: Any = Batches(end)

    def score() -> float:
        models.append(deepcopy(model))
        return next(remaining)

    curve = fit(
        model, model, batches=batches, epochs=3, learning_rate=0.1, warmup=0.1, weight_decay=0.0, seed=4,
        accelerator=Accelerator(cpu=True, mixed_precision="no"), folder=folder, score=score,
    )  # fmt: skip
    return curve, model, models


@pytest.mark.parametrize(
    ("scores", "best"), [([0.1, 0.5, 0.2], 1), ([0.5, 0.5, 0.5], 0), ([0.1, 0.2, 0.3], 2), ([-2.0, -1.0, -3.0], 1)]
)
def test_the_first_of_the_best_epochs_is_kept(scores: list[float], best: int):
    curve, model, models = fitted(scores)
    assert len(models) == 3
    assert same_weights(model, models[best]) and not same_weights(model, models[best - 1])
    validated = [(row["step"], row["validation"]) for row in curve if "validation" in row]
    assert validated == list(zip((3, 6, 9), scores, strict=True))


@pytest.mark.parametrize("end", [2, 3, 4, 7, 8])
def test_the_best_epoch_is_remembered_by_a_resumed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: int):
    scores = [0.1, 0.5, 0.2]
    monkeypatch.setattr(resume, "FIRST_WAIT", -1.0)
    monkeypatch.setattr(resume, "COST", -1.0)
    expected, undisturbed, _ = fitted(scores, tmp_path / "one")
    with pytest.raises(InterruptedError):
        fitted(scores, tmp_path / "two", end=end)
    curve, again, _ = fitted(scores[end // 3 :], tmp_path / "two")
    assert curve == expected
    assert same_weights(again, undisturbed)


def test_the_rows_of_an_epochs_end_leave_the_means_between_them_right(monkeypatch: pytest.MonkeyPatch):
    def losses() -> list[float]:
        return [row["loss"] for row in fitted([0.1, 0.2, 0.3])[0] if "loss" in row]

    monkeypatch.setattr(loop, "POINTS", 9)
    each = losses()
    monkeypatch.setattr(loop, "POINTS", 2)
    assert losses() == pytest.approx([sum(each[:4]) / 4, sum(each[4:8]) / 4, each[8]], abs=1e-5)


def test_batches_of_a_task_hold_every_feature_once_an_epoch_and_count_real_tokens():
    features = [{"input_ids": [n + 1] * (1 + n % 5), "token_type_ids": [0] * (1 + n % 5), "label": 0}
                for n in range(23)]  # fmt: skip
    batches = TaskBatches(features, classification, batch_size=4, seed=2, pad_token_id=0, device=torch.device("cpu"))
    assert batches.steps_in_epoch == 6
    for epoch in range(2):
        seen = [batches(epoch * 6 + step) for step in range(6)]
        assert sorted(n for batch in seen for n in batch["input_ids"][:, 0].tolist()) == list(range(1, 24))
        assert sum(int(batch["tokens"]) for batch in seen) == sum(len(feature["input_ids"]) for feature in features)
    assert torch.equal(batches(3)["input_ids"], batches(3)["input_ids"])
