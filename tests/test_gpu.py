"""What differs on a GPU."""

from collections.abc import Iterator
from contextlib import chdir
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from stages.pipeline.stage import Run
from tests.stages.many_processes import tiny
from tinybert.training.devices import describe, set_up
from tinybert.training.loop import TrainState, adamw, train
from tinybert.training.progress import Progress
from tinybert.training.sampling import generator

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and torch finds none")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Accelerate keeps the first precision of a process, and deterministic algorithms are set for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    torch.cuda.set_sync_debug_mode("default")
    torch.use_deterministic_algorithms(False)
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def gpu() -> Accelerator:
    return set_up(threads=1, precision="auto")


def test_the_gpu_is_chosen_with_bfloat16_and_a_fused_optimizer(gpu: Accelerator) -> None:
    assert gpu.device.type == "cuda"
    bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    assert gpu.mixed_precision == ("bf16" if bfloat16 else "no")
    assert describe(gpu)["gpu"] == torch.cuda.get_device_name(gpu.device)
    optimizer = adamw(nn.Linear(3, 5).to(gpu.device), weight_decay=0.1)
    assert optimizer.defaults["fused"] and all(group["fused"] for group in optimizer.param_groups)


def test_an_operation_without_a_deterministic_algorithm_is_refused(gpu: Accelerator) -> None:
    values = torch.ones(4, device=gpu.device)
    with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
        torch.histc(values, 2)


class Objective(nn.Linear):
    def forward(self, input: Any) -> Any:
        return {"error": super().forward(input["x"]).float().pow(2).mean()}


def test_a_step_does_not_wait_for_the_gpu(gpu: Accelerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch refuses every sync in the steps between the first and the last, in which points of the curve are due."""

    def batches(step: int) -> dict[str, torch.Tensor]:
        torch.cuda.set_sync_debug_mode("error" if 1 <= step < 7 else "default")
        x = torch.randn(4, 6, generator=generator(5, step)).pin_memory().to(gpu.device, non_blocking=True)
        return {"x": x, "tokens": torch.tensor(4)}

    monkeypatch.setattr("tinybert.training.loop.POINTS", 1)
    monkeypatch.setattr("tinybert.training.resume.FIRST_WAIT", 1e9)
    objective, state = Objective(6, 3).to(gpu.device), TrainState()
    list(train(objective, batches=batches, steps=8, learning_rate=0.1, warmup=0.0, weight_decay=0.0, seed=1,
               accelerator=gpu, state=state, folder=tmp_path, progress=Progress("test")))  # fmt: skip
    assert [row["step"] for row in state.curve] == [8]


def test_the_training_stages_give_the_same_bytes_twice(tmp_path: Path) -> None:
    outputs: list[dict[str, bytes]] = []
    for name in ("one", "two"):
        folder = tiny.make(tmp_path / name)
        with chdir(folder):
            for name in tiny.STAGES:
                stage = import_module(f"stages.{name}")
                parameters = tiny.parameters(name)
                parameters["compute"]["precision"] = "auto"
                stage.main(stage.Parameters.model_validate(parameters), Run(tiny.KEYS[name], Path("resume") / name))
        outputs.append({str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.safetensors")})
    assert "models/tasks/t/students/s/model.safetensors" in outputs[0]
    assert outputs[0] == outputs[1]
