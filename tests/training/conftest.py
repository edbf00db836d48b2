"""A tiny BERT; one thread, so that equal computations give equal bits."""

from collections.abc import Iterator

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig

from tests.tiny_bert import CONFIG


@pytest.fixture(autouse=True)
def one_thread_and_one_seed() -> Iterator[None]:
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(cpu=True, mixed_precision="no")


@pytest.fixture
def config() -> BertConfig:
    return BertConfig.from_dict(CONFIG)
