"""Batches of packed blocks for masked language modelling. B blocks, L positions, M predicted tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stages.text.masking import attention_mask, mask_tokens, positions, segments
from stages.training.batching import block_rows, moved
from stages.training.randomness import generator
from stages.training.sharing import ALONE, Share


@dataclass(frozen=True)
class Masking:
    """What masking needs to know of a vocabulary."""

    probability: float
    whole_words: bool
    continues_word_V: torch.Tensor
    special_ids: Sequence[int]
    cls_id: int
    mask_id: int


def masking_for(tokenizer, *, probability: float, whole_words: bool, vocab_size: int) -> Masking:
    """`vocab_size` is the model's, which may be larger than the tokenizer's."""
    continues = torch.zeros(vocab_size, dtype=torch.bool)
    continues[[index for piece, index in tokenizer.get_vocab().items() if piece.startswith("##")]] = True
    unused = list(range(len(tokenizer), vocab_size))
    special = [*tokenizer.all_special_ids, *unused]
    return Masking(probability, whole_words, continues, special, tokenizer.cls_token_id, tokenizer.mask_token_id)


def masked_batch(
    blocks: np.ndarray,
    step: int,
    *,
    batch_size: int,
    seed: int,
    masking: Masking,
    device: torch.device,
    length: int | None = None,
    share: Share = ALONE,
) -> dict[str, torch.Tensor]:
    """Step `step` of training on `blocks` [N, L]: blocks in a new order and newly masked in each epoch.

    With `length`, which divides L, the blocks are cut into that much shorter ones, as many tokens in all. Of several
    processes each gets its `share` of them, masked as they are in the whole batch.
    """  # fmt: skip
    rows = block_rows(step, batch_size=batch_size, count=len(blocks), seed=seed)
    cut = blocks[np.sort(rows)].reshape(-1, length or blocks.shape[1])
    return mask_blocks(cut, masking=masking, position=(seed, step), device=device, share=share)


def growing_length(step: int, *, steps: int, longest: int, doublings: int) -> int:
    """The length of sequences at a step: from longest / 2^doublings it doubles after equal shares of the steps.

    The first thing a new model learns is to look at neighbours, and among few others they are found sooner
    (sequence length warm-up: Li et al. 2022, "The Stability-Efficiency Dilemma", who grow it linearly; BERT itself
    trains on 128 tokens before 512, Devlin et al. 2019, A.2).
    """
    return longest >> (doublings - step * (doublings + 1) // steps)


def mask_blocks(
    blocks_BL: np.ndarray,
    *,
    masking: Masking,
    position: tuple[int, ...],
    device: torch.device,
    share: Share = ALONE,
) -> dict[str, torch.Tensor]:
    """The model's inputs [B, L], `predicted` [M] into the flattened block, `targets` [M], `visible` [B, 1, L, L].

    Documents of one block do not see each other and count their positions from 0. On the CPU: `tokens`, of all blocks,
    and `weight` (see Share).
    """
    ids_BL = torch.from_numpy(blocks_BL.astype(np.int64))
    inputs_BL, predicted, targets = mask_tokens(
        ids_BL,
        probability=masking.probability,
        whole_words=masking.whole_words,
        continues_word_V=masking.continues_word_V,
        special_ids=masking.special_ids,
        mask_id=masking.mask_id,
        vocab_size=len(masking.continues_word_V),
        generator=generator(*position),
    )
    count, length = ids_BL.shape
    own = share.rows(count)
    first, last = own.start * length, own.stop * length
    is_own = (predicted >= first) & (predicted < last)
    batch = {
        "input_ids": inputs_BL[own],
        "position_ids": positions(ids_BL[own], cls_id=masking.cls_id),
        "visible": attention_mask(segments(ids_BL[own], cls_id=masking.cls_id)),
        "predicted": predicted[is_own] - first,
        "targets": targets[is_own],
    }
    return moved(batch, device) | {"tokens": torch.tensor(ids_BL.numel()), "weight": share.weight(count)}
