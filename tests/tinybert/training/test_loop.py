"""The loop is the textbook's, bit for bit, and a killed run resumes to the bits of an undisturbed one."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from tinybert.errors import InputError
from tinybert.training import loop, resume
from tinybert.training.devices import describe
from tinybert.training.loop import adamw, learning_rate_at, train
from tinybert.training.progress import Progress
from tinybert.training.resume import TrainState
from tinybert.training.sampling import generator, seed_dropout

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


def started(objective: nn.Module, folder: Path | None, accelerator: Accelerator, **changes: Any):
    state = TrainState()
    options: dict[str, Any] = {"steps": STEPS, "learning_rate": RATE, "warmup": WARMUP, "weight_decay": DECAY}
    options |= {"seed": SEED, "batches": batches, "accelerator": accelerator, "folder": folder} | changes
    return train(objective, state=state, **options), state


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def by_the_book(objective: Objective, *, steps: int) -> list[tuple[float, dict[str, float]]]:
    """Learning rates and losses of the same training, written out plainly."""
    decayed = [p for p in objective.parameters() if p.ndim > 1]
    others = [p for p in objective.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=RATE, betas=(0.9, 0.98), eps=1e-6, fused=True,
    )  # fmt: skip
    history: list[tuple[float, dict[str, float]]] = []
    for step in range(steps):
        if step < (warmup := WARMUP * steps):
            rate = RATE * (step + 1) / (warmup + 1)
        else:
            rate = RATE * (steps - step) / (steps - warmup)
        for group in optimizer.param_groups:
            group["lr"] = rate
        seed_dropout(SEED, step)
        losses = objective(batches(step))
        (losses["error"] + losses["size"]).backward()
        nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        history.append((rate, {name: loss.item() for name, loss in losses.items()}))
    return history


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_five_steps_are_those_of_the_textbook(tmp_path: Path, accelerator: Accelerator, dropout: float):
    ours, reference = Objective(dropout=dropout), Objective(dropout=dropout)
    steps, state = started(ours, tmp_path, accelerator, steps=5)
    assert list(steps) == [1, 2, 3, 4, 5]
    history = by_the_book(reference, steps=5)
    assert same(weights(ours), weights(reference))
    assert state.curve == [
        {"step": n, "learning_rate": float(f"{rate:.4g}"), **{name: round(loss, 5) for name, loss in losses.items()}}
        for n, (rate, losses) in enumerate(history, start=1)
    ]


def test_clipping_changes_these_gradients():
    objective = Objective(dropout=0.0)
    torch.stack(list(objective(batches(0)).values())).sum().backward()
    assert nn.utils.clip_grad_norm_(objective.parameters(), 1.0) > 1.0


def test_a_point_of_the_curve_is_the_mean_since_the_point_before(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "POINTS", 2)
    steps, state = started(Objective(dropout=0.0), tmp_path, accelerator)
    list(steps)
    history = by_the_book(Objective(dropout=0.0), steps=STEPS)
    means = [sum(losses["error"] for _, losses in history[first:last]) / (last - first) for first, last in
             ((0, 3), (3, 6), (6, 7))]  # fmt: skip
    assert [row["step"] for row in state.curve] == [3, 6, 7]
    assert [row["error"] for row in state.curve] == [round(mean, 5) for mean in means]


def save_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "FIRST_WAIT", -1.0)
    monkeypatch.setattr(resume, "COST", -1.0)


def killed(folder: Path, accelerator: Accelerator, *, after: int, make: Callable[[], nn.Module]) -> None:
    """A run that is killed when `after` steps are done and saved, in the middle of the next."""
    steps, _ = started(make(), folder, accelerator)
    for done in steps:
        if done == after + 1:
            break


@pytest.mark.parametrize("after", [0, 1, 4, 6])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_a_killed_run_resumes_to_the_bits_of_an_undisturbed_one(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, after: int, dropout: float
):
    undisturbed = Objective(dropout=dropout)
    steps, expected = started(undisturbed, tmp_path / "one", accelerator)
    list(steps)
    save_each_step(monkeypatch)
    killed(tmp_path / "two", accelerator, after=after, make=lambda: Objective(dropout=dropout))
    again = Objective(dropout=dropout)
    steps, state = started(again, tmp_path / "two", accelerator)
    assert list(steps) == list(range(after + 1, STEPS + 1))
    assert same(weights(again), weights(undisturbed))
    assert state == expected
    assert (tmp_path / "one" / resume.LAST).read_bytes() == (tmp_path / "two" / resume.LAST).read_bytes()


def test_a_resume_point_of_another_machine_is_not_used(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    save_each_step(monkeypatch)
    here = describe(accelerator)
    there = here | {"threads": 64, "packages": here["packages"] | {"torch": "1.0"}}
    with monkeypatch.context() as patch:
        patch.setattr(resume, "describe", lambda _: there)
        killed(tmp_path, accelerator, after=4, make=lambda: Objective(dropout=0.0))
    steps, _ = started(Objective(dropout=0.0), tmp_path, accelerator, progress=Progress("test"))
    assert list(steps) == list(range(1, STEPS + 1))
    machines = f"threads 64 (here {here['threads']}), torch 1.0 (here {version('torch')})"
    assert f"test: {tmp_path} is not used, it was saved with {machines}\n" in capsys.readouterr().out


def test_means_of_the_curve_continue_after_a_kill(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loop, "POINTS", 2)
    steps, expected = started(Objective(dropout=0.0), tmp_path / "one", accelerator)
    list(steps)
    save_each_step(monkeypatch)
    killed(tmp_path / "two", accelerator, after=4, make=lambda: Objective(dropout=0.0))
    steps, state = started(Objective(dropout=0.0), tmp_path / "two", accelerator)
    list(steps)
    assert state == expected


def test_a_finished_training_is_not_trained_again(tmp_path: Path, accelerator: Accelerator):
    first, second = Objective(dropout=0.0), Objective(dropout=0.0)
    steps, expected = started(first, tmp_path, accelerator)
    list(steps)
    steps, state = started(second, tmp_path, accelerator)
    assert list(steps) == []
    assert same(weights(first), weights(second))
    assert state == expected


def test_a_training_that_diverges_is_reported_with_its_step(tmp_path: Path, accelerator: Accelerator):
    def diverging(step: int) -> dict[str, Any]:
        batch = batches(step)
        return batch | {"y": batch["y"] * (float("inf") if step == 2 else 1.0)}

    steps, _ = started(Objective(dropout=0.0), tmp_path, accelerator, batches=diverging)
    with pytest.raises(
        InputError, match=r"^step 3: loss 'error' is inf, training has diverged; lower its learning_rate$"
    ):
        list(steps)
    assert not (tmp_path / resume.LAST).exists()


def test_no_steps_leave_the_weights_as_they_are(tmp_path: Path, accelerator: Accelerator):
    objective = Objective(dropout=0.4)
    before = weights(objective)
    steps, state = started(objective, tmp_path, accelerator, steps=0)
    assert list(steps) == [] and state.curve == []
    assert same(weights(objective), before)


def test_frozen_weights_keep_their_bits_and_are_restored(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
):
    def half_frozen() -> Objective:
        objective = Objective(dropout=0.0)
        objective.first.requires_grad_(False)
        return objective

    save_each_step(monkeypatch)
    undisturbed = half_frozen()
    before = weights(undisturbed.first)
    list(started(undisturbed, tmp_path / "one", accelerator)[0])
    killed(tmp_path / "two", accelerator, after=3, make=half_frozen)
    again = half_frozen()
    list(started(again, tmp_path / "two", accelerator)[0])
    assert same(weights(again.first), before)
    assert same(weights(again), weights(undisturbed))


def test_without_a_folder_nothing_is_saved_and_without_progress_nothing_is_printed(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    save_each_step(monkeypatch)
    saved, unsaved = Objective(dropout=0.4), Objective(dropout=0.4)
    list(started(saved, Path("folder"), accelerator)[0])
    list(started(unsaved, None, accelerator)[0])
    assert same(weights(unsaved), weights(saved))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert capsys.readouterr().out == ""


def test_a_resumed_run_prints_the_step_that_it_resumes_after(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    save_each_step(monkeypatch)
    killed(tmp_path, accelerator, after=4, make=lambda: Objective(dropout=0.0))
    list(started(Objective(dropout=0.0), tmp_path, accelerator, progress=Progress("test"))[0])
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == f"test: resumes after step 4/{STEPS}"
    assert last.startswith(f"test: step {STEPS}/{STEPS}  error ")


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 1 / 5), (1, 2 / 5), (3, 4 / 5), (4, 1.0), (5, 5 / 6), (7, 3 / 6), (9, 1 / 6), (10, 0.0)]
)
def test_the_rate_rises_to_its_peak_and_falls_to_zero(step: int, expected: float):
    assert learning_rate_at(step, steps=10, peak=3.0, warmup=0.4) == pytest.approx(3.0 * expected)


def test_without_warm_up_the_first_step_has_the_peak():
    assert [learning_rate_at(step, steps=4, peak=2.0, warmup=0.0) for step in range(4)] == [2.0, 1.5, 1.0, 0.5]


def test_with_nothing_but_warm_up_the_rate_only_rises():
    assert [learning_rate_at(step, steps=4, peak=5.0, warmup=1.0) for step in range(4)] == [1.0, 2.0, 3.0, 4.0]


def test_no_step_has_a_rate_of_zero():
    for steps in range(1, 30):
        assert min(learning_rate_at(step, steps=steps, peak=1.0, warmup=0.1) for step in range(steps)) > 0


def test_matrices_decay_and_biases_norms_and_frozen_weights_do_not():
    module = nn.ModuleDict({"a": nn.Linear(3, 5), "norm": nn.LayerNorm(5), "frozen": nn.Linear(7, 2)})
    module["frozen"].requires_grad_(False)
    groups = adamw(module, weight_decay=0.3).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(5, 3)], [(5,), (5,), (5,)]]
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
