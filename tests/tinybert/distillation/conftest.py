"""A student cut out of the tiny teacher, and a masked batch of two packed blocks."""

import numpy as np
import pytest
import torch
from transformers import BertForPreTraining

from tinybert.model.inputs import Batch
from tinybert.pretraining.masking import Masking, mask_blocks
from tinybert.pruning.cut import apply_cut, first_channels

BLOCKS = np.array([[2, *range(10, 17), 3, 2, *range(40, 45), 3], [2, *range(60, 74), 3]], dtype=np.uint16)
MASKING = Masking(0.4, False, torch.zeros(99, dtype=torch.bool), range(5), 2, 4)


@pytest.fixture
def student(teacher: BertForPreTraining) -> BertForPreTraining:
    cut = first_channels(teacher.config, layers=[1, 4], hidden_size=20, num_attention_heads=4, intermediate_size=22)
    return apply_cut(teacher, cut)


@pytest.fixture
def batch() -> Batch:
    return mask_blocks(BLOCKS, masking=MASKING, position=(1, 2), device=torch.device("cpu"))
