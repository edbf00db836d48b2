"""A tiny BERT none of whose weights is zero, and its inputs."""

import pytest
import torch
from transformers import BertConfig, BertForPreTraining

from tests.tiny_bert import CONFIG

IDS = torch.tensor([[2, 17, 44, 98, 5, 61, 3], [2, 30, 31, 32, 3, 0, 0]])
INPUTS = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}


@pytest.fixture
def teacher() -> BertForPreTraining:
    torch.manual_seed(2)
    model = BertForPreTraining(BertConfig.from_dict(CONFIG))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model.eval()
