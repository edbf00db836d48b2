"""A tiny BERT of odd, distinct sizes; one thread, so that equal computations give equal bits."""

from collections.abc import Iterator

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig

CONFIG = {
    "vocab_size": 99,
    "hidden_size": 36,
    "num_attention_heads": 4,
    "num_hidden_layers": 5,
    "intermediate_size": 52,
    "max_position_embeddings": 40,
}


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
    """Without dropout."""
    return BertConfig.from_dict(CONFIG | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
