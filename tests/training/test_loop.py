"""The loop is the textbook's, bit for bit, and a run that was cut off goes on as if it never had been."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from stages.pipeline.errors import InputError
from stages.training import loop
from stages.training.loop import Memory, train
from stages.training.machine import describe
from stages.training.randomness import generator, seed_dropout

STEPS, RATE, WARMUP, DECAY, SEED = 7, 0.02, 0.3, 0.1, 11


class Objective(nn.Module):
    """Two losses over two layers with dropout between them."""

    def __init__(self, *, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.norm, self.second = nn.Linear(6, 10), nn.LayerNorm(10), nn.Linear(10, 3)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        out = self.second(self.dropout(self.norm(self.first(batch["x"])).relu()))
        return {"error": (out - batch["y"]).pow(2).mean() * 30, "size": out.abs().mean()}


def batches(step: int) -> dict[str, Any]:
    random = generator(5, step)
    x, y = torch.randn(4, 6, generator=random), torch.randn(4, 3, generator=random)
    return {"x": x, "y": y, "tokens": torch.tensor(4)}


def started(objective: nn.Module, folder: Path, accelerator: Accelerator, **changes: Any):
    memory = Memory()
    options: dict[str, Any] = {"steps": STEPS, "rate": RATE, "warmup": WARMUP, "weight_decay": DECAY, "seed": SEED}
    options |= {"batches": batches, "accelerator": accelerator, "folder": folder, "label": "test"} | changes
    return train(objective, memory=memory, **options), memory


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def by_the_book(objective: Objective, *, steps: int) -> list[tuple[float, dict[str, float]]]:
    """The same training, written down plainly."""
    decayed, others = (
        [p for p in objective.parameters() if p.ndim > 1],
        [p for p in objective.parameters() if p.ndim <= 1],
    )
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=RATE, betas=(0.9, 0.98), eps=1e-6, fused=True,
    )  # fmt: skip
    seen: list[tuple[float, dict[str, float]]] = []
    for step in range(steps):
        rising = WARMUP * steps
        rate = RATE * (step + 1) / (rising + 1) if step < rising else RATE * (steps - step) / (steps - rising)
        for group in optimizer.param_groups:
            group["lr"] = rate
        seed_dropout(SEED, step)
        losses = objective(batches(step))
        (losses["error"] + losses["size"]).backward()
        nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen.append((rate, {name: loss.item() for name, loss in losses.items()}))
    return seen


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_five_steps_are_those_of_a_loop_written_by_hand(tmp_path: Path, accelerator: Accelerator, dropout: float):
    ours, plain = Objective(dropout=dropout), Objective(dropout=dropout)
    steps, memory = started(ours, tmp_path, accelerator, steps=5)
    assert list(steps) == [1, 2, 3, 4, 5]
    seen = by_the_book(plain, steps=5)
    assert same(weights(ours), weights(plain))
    assert memory.curve == [
        {"step": n, "learning_rate": float(f"{rate:.4g}"), **{name: round(loss, 5) for name, loss in losses.items()}}
        for n, (rate, losses) in enumerate(seen, start=1)
    ]


def test_the_clipping_of_these_gradients_changes_them():
    objective = Objective(dropout=0.0)
    torch.stack(list(objective(batches(0)).values())).sum().backward()
    assert nn.utils.clip_grad_norm_(objective.parameters(), 1.0) > 1.0


def test_a_point_of_the_curve_is_the_mean_since_the_point_before(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "POINTS", 2)
    steps, memory = started(Objective(dropout=0.0), tmp_path, accelerator)
    list(steps)
    seen = by_the_book(Objective(dropout=0.0), steps=STEPS)
    means = [sum(losses["error"] for _, losses in seen[first:last]) / (last - first) for first, last in
             ((0, 3), (3, 6), (6, 7))]  # fmt: skip
    assert [row["step"] for row in memory.curve] == [3, 6, 7]
    assert [row["error"] for row in memory.curve] == [round(mean, 5) for mean in means]


def save_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "FIRST_WAIT", -1.0)
    monkeypatch.setattr(loop, "COST", -1.0)


def cut_off(folder: Path, accelerator: Accelerator, *, after: int, make: Callable[[], nn.Module]) -> None:
    """A run that is killed when `after` steps are done and saved, in the middle of the next."""
    steps, _ = started(make(), folder, accelerator)
    for done in steps:
        if done == after + 1:
            break


@pytest.mark.parametrize("after", [0, 1, 4, 6])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_a_run_that_was_cut_off_ends_with_the_bits_of_one_that_was_not(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, after: int, dropout: float
):
    undisturbed = Objective(dropout=dropout)
    steps, wanted = started(undisturbed, tmp_path / "one", accelerator)
    list(steps)
    save_each_step(monkeypatch)
    cut_off(tmp_path / "two", accelerator, after=after, make=lambda: Objective(dropout=dropout))
    again = Objective(dropout=dropout)
    steps, memory = started(again, tmp_path / "two", accelerator)
    assert list(steps) == list(range(after + 1, STEPS + 1))
    assert same(weights(again), weights(undisturbed))
    assert memory == wanted
    assert (tmp_path / "one/state.safetensors").read_bytes() == (tmp_path / "two/state.safetensors").read_bytes()


def test_a_state_of_another_machine_is_not_used(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    save_each_step(monkeypatch)
    here = describe(accelerator)
    there = here | {"threads": 64, "packages": here["packages"] | {"torch": "1.0"}}
    with monkeypatch.context() as patch:
        patch.setattr(loop, "describe", lambda _: there)
        cut_off(tmp_path, accelerator, after=4, make=lambda: Objective(dropout=0.0))
    steps, _ = started(Objective(dropout=0.0), tmp_path, accelerator)
    assert list(steps) == list(range(1, STEPS + 1))
    said = (
        f"is not used, since it was made with threads 64 (here {here['threads']}), torch 1.0 (here {version('torch')})"
    )
    assert said in capsys.readouterr().out


def test_means_of_the_curve_go_on_over_a_cut(tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "POINTS", 2)
    steps, wanted = started(Objective(dropout=0.0), tmp_path / "one", accelerator)
    list(steps)
    save_each_step(monkeypatch)
    cut_off(tmp_path / "two", accelerator, after=4, make=lambda: Objective(dropout=0.0))
    steps, memory = started(Objective(dropout=0.0), tmp_path / "two", accelerator)
    list(steps)
    assert memory == wanted


def test_a_finished_training_is_not_trained_again(tmp_path: Path, accelerator: Accelerator):
    first, second = Objective(dropout=0.0), Objective(dropout=0.0)
    steps, wanted = started(first, tmp_path, accelerator)
    list(steps)
    steps, memory = started(second, tmp_path, accelerator)
    assert list(steps) == []
    assert same(weights(first), weights(second))
    assert memory == wanted


def test_a_training_that_diverges_is_said_with_its_step(tmp_path: Path, accelerator: Accelerator):
    def grown(step: int) -> dict[str, Any]:
        batch = batches(step)
        return batch | {"y": batch["y"] * (float("inf") if step == 2 else 1.0)}

    steps, _ = started(Objective(dropout=0.0), tmp_path, accelerator, batches=grown)
    with pytest.raises(
        InputError, match=r"^step 3: loss 'error' is inf, training has diverged; lower its learning_rate$"
    ):
        list(steps)
    assert not (tmp_path / "state.safetensors").exists()


def test_no_steps_leave_the_weights_as_they_are(tmp_path: Path, accelerator: Accelerator):
    objective = Objective(dropout=0.4)
    before = weights(objective)
    steps, memory = started(objective, tmp_path, accelerator, steps=0)
    assert list(steps) == [] and memory.curve == []
    assert same(weights(objective), before)


def test_what_does_not_train_keeps_its_bits_and_is_restored_all_the_same(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
):
    def half() -> Objective:
        objective = Objective(dropout=0.0)
        objective.first.requires_grad_(False)
        return objective

    save_each_step(monkeypatch)
    undisturbed = half()
    before = weights(undisturbed.first)
    list(started(undisturbed, tmp_path / "one", accelerator)[0])
    cut_off(tmp_path / "two", accelerator, after=3, make=half)
    again = half()
    list(started(again, tmp_path / "two", accelerator)[0])
    assert same(weights(again.first), before)
    assert same(weights(again), weights(undisturbed))
