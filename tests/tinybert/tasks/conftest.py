"""A BERT tokenizer and a BERT checkpoint of odd, distinct sizes, made on the spot."""

import string
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

WORDS = "the cat sat on mat dog ran in rain who was it where paris france is a capital of big no yes red".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase), *string.digits, *"[].,?!-'"]
VOCABULARY = [*SPECIAL, *PIECES, *(word for word in WORDS if word not in PIECES), "##at", "##ed"]


@pytest.fixture(scope="session")
def tokenizer() -> BertTokenizer:
    return BertTokenizer(vocab={piece: index for index, piece in enumerate(VOCABULARY)})


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(7)
    shape: dict[str, Any] = {"hidden_size": 36, "intermediate_size": 37, "max_position_embeddings": 64}
    config = BertConfig(vocab_size=len(VOCABULARY), num_hidden_layers=2, num_attention_heads=4, **shape)
    folder = tmp_path_factory.mktemp("checkpoint")
    BertForMaskedLM(config).save_pretrained(folder)
    return folder
