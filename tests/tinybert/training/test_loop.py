"""The loop is the textbook's, bit for bit, and a killed run resumes to the bits of an undisturbed one."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors import safe_open
from torch import nn

from tests.tiny_bert import same_weights
from tinybert.errors import InputError
from tinybert.training import loop, resume
from tinybert.training.devices import describe
from tinybert.training.loop import TrainState, adamw, learning_rate_at, train
from tinybert.training.progress import Progress
from tinybert.training.sampling import generator, seed_dropout

STEPS, RATE, WARMUP, DECAY, SEED = 7, 0.02, 0.3, 0.1, 11


class Objective(nn.Module):
    """Two losses over two layers with dropout between them."""

    def __init__(self, *, dropout: float = 0.0, frozen: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.norm, self.second = nn.Linear(6, 10), nn.LayerNorm(10), nn.Linear(10, 3)
        self.dropout = nn.Dropout(dropout)
        self.first.requires_grad_(not frozen)

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        out = self.second(self.dropout(self.norm(self.first(batch["x"])).relu()))
        return {"error": (out - batch["y"]).pow(2).mean() * 30, "size": out.abs().mean()}


def batches(step: int) -> dict[str, Any]:
    random = generator(5, step)
    x, y = torch.randn(4, 6, generator=random), torch.randn(4, 3, generator=random)
    return {"x": x, "y": y, "tokens": torch.tensor(4)}


def trained(
    objective: nn.Module, folder: Path | None = None, *, until: int = STEPS, **changes: Any
) -> tuple[list[int], TrainState]:
    """The steps done, and the state; `until` is the step in the middle of which the run is killed."""
    options: dict[str, Any] = {"steps": STEPS, "learning_rate": RATE, "warmup": WARMUP, "weight_decay": DECAY}
    options |= {"seed": SEED, "batches": batches, "accelerator": Accelerator(cpu=True, mixed_precision="no")}
    state, done = TrainState(), list[int]()
    for step in train(objective, state=state, folder=folder, **options | changes):
        done.append(step)
        if step > until:
            break
    return done, state


def killed(folder: Path, *, after: int, **options: Any) -> None:
    """A run that is killed when `after` steps are done and saved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resume, "FIRST_WAIT", -1.0)
        patch.setattr(resume, "COST", -1.0)
        trained(Objective(**options), folder, until=after)


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
        norm = nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        assert step or norm > 1.0, "clipping changes these gradients"
        optimizer.step()
        optimizer.zero_grad()
        history.append((rate, {name: loss.item() for name, loss in losses.items()}))
    return history


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_five_steps_are_those_of_the_textbook(tmp_path: Path, dropout: float):
    ours, reference = Objective(dropout=dropout), Objective(dropout=dropout)
    done, state = trained(ours, tmp_path, steps=5)
    assert done == [1, 2, 3, 4, 5]
    history = by_the_book(reference, steps=5)
    assert same_weights(ours, reference)
    assert state.curve == [
        {"step": n, "learning_rate": float(f"{rate:.4g}"), **{name: round(loss, 5) for name, loss in losses.items()}}
        for n, (rate, losses) in enumerate(history, start=1)
    ]


def test_a_point_of_the_curve_is_the_mean_since_the_point_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "POINTS", 2)
    _, state = trained(Objective())
    history = by_the_book(Objective(), steps=STEPS)
    means = [sum(losses["error"] for _, losses in history[first:last]) / (last - first) for first, last in
             ((0, 3), (3, 6), (6, 7))]  # fmt: skip
    assert [(row["step"], row["error"]) for row in state.curve] == [
        (step, round(mean, 5)) for step, mean in zip((3, 6, 7), means, strict=True)
    ]


def saved(folder: Path) -> dict[str, Any]:
    """The values of a resume point and the digest of its tensors."""
    with safe_open(folder / resume.LAST, framework="pt") as file:
        return json.loads(file.metadata()["state"])


@pytest.mark.parametrize("after", [0, 1, 4, 6])
@pytest.mark.parametrize("options", [{"dropout": 0.0}, {"dropout": 0.4}, {"frozen": True}])
def test_a_killed_run_resumes_to_the_bits_of_an_undisturbed_one(
    tmp_path: Path, after: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    monkeypatch.setattr(loop, "POINTS", 2)  # a mean is of steps before and after the kill
    undisturbed, again, start = (Objective(**options) for _ in range(3))
    _, expected = trained(undisturbed, tmp_path / "one")
    killed(tmp_path / "two", after=after, **options)
    assert capsys.readouterr().out == ""
    done, state = trained(again, tmp_path / "two", progress=Progress("test"))
    assert done == list(range(after + 1, STEPS + 1))
    assert same_weights(again, undisturbed)
    assert same_weights(again.first, start.first) == ("frozen" in options)
    assert state == expected
    assert [list(row) for row in state.curve] == [list(row) for row in expected.curve]  # a file's columns
    assert saved(tmp_path / "one") == saved(tmp_path / "two")
    *resumes, last = capsys.readouterr().out.splitlines()
    assert resumes == ([f"test: resumes after step {after}/{STEPS}"] if after else [])
    assert last.startswith(f"test: step {STEPS}/{STEPS}  error ")


def test_a_resume_point_of_another_machine_or_format_is_not_used(
    tmp_path: Path, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here = describe(accelerator)
    with monkeypatch.context() as patch:
        there = here | {"threads": 64, "packages": here["packages"] | {"torch": "1.0"}}
        patch.setattr(resume, "describe", lambda _: there)
        patch.setattr(resume, "FORMAT", 0)
        killed(tmp_path, after=4)
    done, _ = trained(Objective(), tmp_path, progress=Progress("test"))
    assert done == list(range(1, STEPS + 1))
    machines = f"threads 64 (here {here['threads']}), format 0 (here 1), torch 1.0 (here {version('torch')})"
    assert f"test: {tmp_path} is not used, it was saved with {machines}\n" in capsys.readouterr().out


def test_a_finished_training_is_not_trained_again_and_no_steps_change_no_weights(tmp_path: Path):
    first, second, third = Objective(), Objective(), Objective()
    assert trained(third, steps=0)[0] == [] and same_weights(third, first)
    _, expected = trained(first, tmp_path)
    assert trained(second, tmp_path) == ([], expected)
    assert same_weights(first, second)


def test_without_a_folder_nothing_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    saved, unsaved = Objective(dropout=0.4), Objective(dropout=0.4)
    trained(saved, Path("folder"))
    trained(unsaved)
    assert same_weights(unsaved, saved)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_training_that_diverges_is_reported_with_its_step(tmp_path: Path):
    def diverging(step: int) -> dict[str, Any]:
        batch = batches(step)
        return batch | {"y": batch["y"] * (float("inf") if step == 2 else 1.0)}

    message = r"^step 3: loss 'error' is inf, training has diverged; lower its learning_rate$"
    with pytest.raises(InputError, match=message):
        trained(Objective(), tmp_path, batches=diverging)
    assert not (tmp_path / resume.LAST).exists()


@pytest.mark.parametrize(
    ("warmup", "rates"),
    [
        (0.4, [1 / 5, 2 / 5, 3 / 5, 4 / 5, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        (0.0, [1, 3 / 4, 2 / 4, 1 / 4]),
        (1.0, [1 / 5, 2 / 5, 3 / 5, 4 / 5]),
    ],
)
def test_the_rate_rises_to_its_peak_and_falls_and_is_zero_at_no_step(warmup: float, rates: list[float]):
    steps = [learning_rate_at(step, steps=len(rates), peak=3.0, warmup=warmup) for step in range(len(rates))]
    assert steps == pytest.approx([3.0 * rate for rate in rates])


def test_matrices_decay_and_biases_norms_and_frozen_weights_do_not():
    module = nn.ModuleDict({"a": nn.Linear(3, 5), "norm": nn.LayerNorm(5), "frozen": nn.Linear(7, 2)})
    module["frozen"].requires_grad_(False)
    groups = adamw(module, weight_decay=0.3).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(5, 3)], [(5,), (5,), (5,)]]
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
