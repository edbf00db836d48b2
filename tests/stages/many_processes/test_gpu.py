"""On a GPU the training stages give the same bytes again."""

from collections.abc import Iterator
from contextlib import chdir
from importlib import import_module
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from stages.pipeline.stage import Run
from tests.stages.many_processes import tiny

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and torch finds none")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Accelerate keeps the first precision of a process, and deterministic algorithms are set for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    torch.use_deterministic_algorithms(False)
    AcceleratorState._reset_state(reset_partial_state=True)


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
