"""A release folder of each kind of task, of tiny models whose heads say something of each text."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from tests.tinybert.tasks.conftest import VOCABULARY
from tests.tinybert.tasks.test_kinds import KINDS, LABELS, MODEL_OF, ROWS_OF
from tinybert.data.tokenizer import save_tokenizer
from tinybert.export.convert import write_float32
from tinybert.export.int8 import write_int8
from tinybert.model.checkpoint import save

SHAPE: dict[str, Any] = {
    "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 36, "intermediate_size": 37,
    "max_position_embeddings": 64,
}  # fmt: skip


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """KIND/small for each kind."""
    base, folder = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("release")
    torch.manual_seed(7)
    BertForMaskedLM(BertConfig(vocab_size=len(VOCABULARY), **SHAPE)).save_pretrained(base)
    tokenizer = BertTokenizer(vocab={piece: index for index, piece in enumerate(VOCABULARY)}, model_max_length=64)
    for kind in KINDS:
        model: Any = MODEL_OF[kind].build(base, labels=LABELS[kind], seed=3)
        with torch.no_grad():
            (model.qa_outputs if kind == "qa" else model.classifier).weight.mul_(40)
        encoding = ROWS_OF[kind].Encoding.model_validate({"max_length": 64}).model_dump()
        model.config.tinybert = {"kind": kind, "encoding": encoding, "decoding": ROWS_OF[kind].Decoding().model_dump()}
        place = folder / kind / "small"
        (place / "onnx").mkdir(parents=True)
        save(model, place)
        save_tokenizer(tokenizer, folder=place)
        write_float32(model, place / "onnx/model.onnx")
        write_int8(model, place / "onnx/model_quantized.onnx")
    return folder
