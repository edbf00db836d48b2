"""Parameters and multiply-adds of a stock model against the sums worked out by hand."""

from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tests.tiny_bert import CONFIG
from tinybert.model import attention
from tinybert.model.size import count_parameters, multiply_adds

LABELS, LENGTH = 7, 11
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "max_position_embeddings")
V, H, N, F, P = (CONFIG[name] for name in SIZES)


def classifier(device: str, implementation: str = "sdpa") -> Any:
    more: dict[str, Any] = {"num_labels": LABELS, "attn_implementation": implementation}
    config = BertConfig(**CONFIG, **more)
    with torch.device(device):
        return BertForSequenceClassification(config).eval()


def test_parameters_of_each_part() -> None:
    tables = (V + P + 2) * H
    attention, feed_forward, norm = 4 * (H * H + H), (H * F + F) + (F * H + H), 2 * H
    rest = norm + N * (attention + feed_forward + 2 * norm) + (H * H + H) + (H * LABELS + LABELS)
    sizes = {"parameters": tables + rest, "parameters_without_embeddings": rest}
    assert count_parameters(classifier("cpu")) == count_parameters(classifier("meta")) == sizes


@pytest.mark.parametrize("implementation", ["eager", "sdpa", attention.NAME])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_multiply_adds_with_those_of_attention(device: str, implementation: str) -> None:
    """As in docs/large.md: encoder(n, H, F, L) for each token, then the pooler and the classifier for one."""
    encoder = N * (4 * H * H + 2 * H * F + 2 * LENGTH * H)
    with torch.device(device):
        counted = multiply_adds(classifier(device, implementation), length=LENGTH)
    assert counted == LENGTH * encoder + H * H + H * LABELS
