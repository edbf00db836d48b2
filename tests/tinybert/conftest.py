"""One thread and one seed for every test, so that equal computations give equal bits; a tiny BERT and its student."""

from collections.abc import Iterator

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForPreTraining, BertTokenizer

from tests.tiny_bert import BLOCKS, CONFIG, CUT, MASKING
from tinybert.data.tokenizer import build_tokenizer
from tinybert.model.inputs import Batch
from tinybert.pretraining.masking import mask_blocks
from tinybert.pruning.cut import apply_cut, first_channels


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
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


@pytest.fixture
def teacher(config: BertConfig) -> BertForPreTraining:
    """In eval mode, without a weight that is zero."""
    torch.manual_seed(2)
    model = BertForPreTraining(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


@pytest.fixture
def student(teacher: BertForPreTraining) -> BertForPreTraining:
    return apply_cut(teacher, first_channels(teacher.config, **CUT)).eval()


@pytest.fixture
def batch() -> Batch:
    """BLOCKS, masked."""
    return mask_blocks(BLOCKS, masking=MASKING, position=(1, 2), device=torch.device("cpu"))


@pytest.fixture(scope="session")
def tokenizer() -> BertTokenizer:
    """Five special tokens, [CLS], [SEP] and [MASK] being 2, 3 and 4, and words of one piece."""
    words = [f"w{n}" for n in range(5, CONFIG["vocab_size"])]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return build_tokenizer([*special, *words], lowercase=True, max_length=CONFIG["max_position_embeddings"])
