"""What a result was made on, told once for all stages that were made on the same."""

import torch
from accelerate import Accelerator

from stages.reporting.summary import group
from stages.training.machine import describe


def test_stages_of_one_machine_are_one_entry():
    small, large = {"threads": 2}, {"threads": 16}
    assert group({"pretrain": large, "distill": small, "evaluate@a": small}) == [
        {"threads": 16, "stages": ["pretrain"]},
        {"threads": 2, "stages": ["distill", "evaluate@a"]},
    ]


def test_a_machine_is_described_by_what_this_process_uses():
    found = describe(Accelerator(cpu=True, mixed_precision="no"))
    assert found["threads"] == torch.get_num_threads()
    assert found["packages"]["torch"] == torch.__version__
    assert (found["gpu"], found["precision"], found["processes"]) == (None, "float32", 1)
    assert found["processor"] != "unknown"
