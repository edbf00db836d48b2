"""How well masked words are guessed on documents that were held out."""

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F
from transformers import BertForPreTraining

from stages.training.blocks import Masking, mask_blocks
from stages.training.masked_words import masked_logits

BLOCKS = 512
"""Blocks measured at most: enough to tell half a percent."""
BATCH = 32
"""Blocks that are masked together: fixed, so that the masks depend on nothing else."""
SEED, PROBABILITY = 0, 0.15
"""Of the masks: every model is asked the same, however it was trained."""


def masked_word_scores(
    model: BertForPreTraining, blocks: np.ndarray, *, masking: Masking, device: torch.device
) -> dict[str, float]:
    """Cross-entropy (natural log) and accuracy at masked positions, over the first BLOCKS of `blocks` [N, L].

    Both are 0 where no position is masked, as may happen in a block or two.
    """
    model.eval()
    masking = replace(masking, probability=PROBABILITY, whole_words=False)
    loss, right, count = 0.0, 0, 0
    blocks = blocks[:BLOCKS]
    for start in range(0, len(blocks), BATCH):
        batch = mask_blocks(blocks[start : start + BATCH], masking=masking, position=(SEED, start), device=device)
        with torch.inference_mode():
            logits_MV = masked_logits(model, batch)
        loss += F.cross_entropy(logits_MV, batch["targets"], reduction="sum").item()
        right += int((logits_MV.argmax(-1) == batch["targets"]).sum())
        count += len(batch["targets"])
    return {"loss": round(loss / max(count, 1), 5), "accuracy": round(right / max(count, 1), 5)}
