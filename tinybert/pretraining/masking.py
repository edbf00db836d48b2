"""Batches for masked language modelling: packed blocks with masked tokens, whose documents are kept apart.

Suffixes: B = blocks, L = positions in a block, V = vocabulary entries, M = masked tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import BertTokenizer

from tinybert.data.tokenizer import special_id
from tinybert.data.wordpiece import CONTINUES
from tinybert.training.data_parallel import UNSHARDED, Shard
from tinybert.training.sampling import Mixture, generator, step_blocks, to_device

MASKED, RANDOM = 0.8, 0.1
"""Shares of the chosen tokens that become [MASK] and a random entry; the rest stays."""


@dataclass(frozen=True)
class Masking:
    """How a vocabulary is masked."""

    probability: float
    whole_words: bool
    continues_word_V: Tensor
    """True for the entries that continue a word."""
    special_ids: Sequence[int]
    """Entries that are neither predicted nor drawn."""
    cls_id: int
    mask_id: int


def masking_for(tokenizer: BertTokenizer, *, probability: float, whole_words: bool, vocab_size: int) -> Masking:
    """The Masking for a tokenizer and a model's `vocab_size`, which may be larger than the tokenizer's."""
    continues = torch.zeros(vocab_size, dtype=torch.bool)
    continues[[index for piece, index in tokenizer.get_vocab().items() if piece.startswith(CONTINUES)]] = True
    unused = range(len(tokenizer), vocab_size)
    cls_id, mask_id = (special_id(tokenizer, name) for name in ("cls", "mask"))
    return Masking(probability, whole_words, continues, [*tokenizer.all_special_ids, *unused], cls_id, mask_id)


def mask_tokens(ids_BL: Tensor, *, masking: Masking, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Choose tokens to predict; return inputs_BL, their positions [M] in the flattened batch, and their ids [M].

    Each token but the special ones is chosen with `masking.probability`; of whole words the pieces are chosen together.
    A chosen one becomes [MASK] with probability 80 %, an entry drawn from all but the special ones with 10 %, and stays
    with 10 % (Devlin et al. 2019, section 3.1 and appendix A.1). After a special token or at the start of a row a piece
    begins a word, since the first part of its own is elsewhere. All randomness comes from `generator`, which is on the
    device of `ids_BL`.
    """
    special_V = torch.zeros(len(masking.continues_word_V), dtype=torch.bool, device=ids_BL.device)
    special_V[list(masking.special_ids)] = True
    special_BL = special_V[ids_BL]
    draws = torch.rand(ids_BL.numel(), generator=generator, device=ids_BL.device)
    if masking.whole_words:
        draws = draws[_word_index(masking.continues_word_V[ids_BL], special_BL)]
    chosen = ((draws < masking.probability) & ~special_BL.flatten()).nonzero().squeeze(1)
    targets = ids_BL.flatten()[chosen]
    inputs = ids_BL.flatten().clone()
    regular_ids = (~special_V).nonzero()
    inputs[chosen] = _replace(targets, regular_ids=regular_ids, mask_id=masking.mask_id, generator=generator)
    return inputs.view_as(ids_BL), chosen, targets


def _word_index(continues_BL: Tensor, special_BL: Tensor) -> Tensor:
    """The number of the word at each position of the flattened batch; a special token counts as a word."""
    starts_BL = ~continues_BL
    starts_BL[:, 0] = True
    starts_BL[:, 1:] |= special_BL[:, :-1]
    return starts_BL.flatten().cumsum(0) - 1


def _replace(targets: Tensor, *, regular_ids: Tensor, mask_id: int, generator: torch.Generator) -> Tensor:
    """The inputs [M] in place of targets [M]; `regular_ids` is [entries, 1]."""
    fate = torch.rand(targets.shape, generator=generator, device=targets.device)
    drawn = torch.randint(len(regular_ids), targets.shape, generator=generator, device=targets.device)
    replaced = torch.where(fate < MASKED + RANDOM, regular_ids[drawn, 0].to(targets.dtype), targets)
    return torch.where(fate < MASKED, torch.full_like(targets, mask_id), replaced)


def segments(ids_BL: Tensor, *, cls_id: int) -> Tensor:
    """The segment of its block that each position belongs to [B, L], from 0; a segment begins with `cls_id`."""
    return (ids_BL == cls_id).cumsum(1) - 1


def positions(ids_BL: Tensor, *, cls_id: int) -> Tensor:
    """The position of each token in its segment [B, L], `cls_id` being at 0."""
    columns_BL = torch.arange(ids_BL.shape[1], device=ids_BL.device).expand_as(ids_BL)
    starts_BL = torch.where(ids_BL == cls_id, columns_BL, 0).cummax(1).values
    return columns_BL - starts_BL


def attention_mask(segments_BL: Tensor) -> Tensor:
    """The pairs of positions that attend to each other [B, 1, L, L]: true within a segment, false across."""
    return segments_BL[:, None, :, None] == segments_BL[:, None, None, :]


def masked_batch(
    blocks: np.ndarray | Mixture, step: int, *, batch_size: int, seed: int, masking: Masking, device: torch.device,
    length: int | None = None, shard: Shard = UNSHARDED,
) -> dict[str, Tensor]:  # fmt: skip
    """Step `step` of training on `blocks` [N, L], which each epoch visits in a new order and with new masks.

    With `length`, which divides L, the blocks are split into shorter ones, with as many tokens in all. A process gets
    its `shard` of them, masked as in the whole batch.
    """
    taken = step_blocks(blocks, step, batch_size=batch_size, seed=seed)
    blocks_BL = taken.reshape(-1, length or blocks.shape[1])
    return mask_blocks(blocks_BL, masking=masking, position=(seed, step), device=device, shard=shard)


def growing_length(step: int, *, steps: int, longest: int, doublings: int) -> int:
    """The sequence length at a step: from longest / 2^doublings it doubles after equal shares of the steps.

    A new model first learns to look at neighbours, which it finds sooner among few positions (sequence length warm-up:
    Li et al. 2022, "The Stability-Efficiency Dilemma", with linear growth; BERT itself trains on 128 tokens before 512,
    Devlin et al. 2019, A.2).
    """
    return longest >> (doublings - step * (doublings + 1) // steps)


def mask_blocks(
    blocks_BL: np.ndarray, *, masking: Masking, position: tuple[int, ...], device: torch.device,
    shard: Shard = UNSHARDED,
) -> dict[str, Tensor]:  # fmt: skip
    """The model's inputs [B, L], "predicted" [M] into the flattened inputs, "targets" [M] and "visible" [B, 1, L, L].

    Documents in one block do not attend to each other, and their positions start at 0. `position` seeds the masks. On
    the CPU: "tokens", the number of tokens in all blocks, and "weight" (Shard.weight).
    """
    ids_BL = torch.from_numpy(blocks_BL.astype(np.int64))
    inputs_BL, predicted, targets = mask_tokens(ids_BL, masking=masking, generator=generator(*position))
    count, length = ids_BL.shape
    rows = shard.rows(count)
    first, last = rows.start * length, rows.stop * length
    in_shard = (predicted >= first) & (predicted < last)
    batch = {
        "input_ids": inputs_BL[rows],
        "position_ids": positions(ids_BL[rows], cls_id=masking.cls_id),
        "visible": attention_mask(segments(ids_BL[rows], cls_id=masking.cls_id)),
        "predicted": predicted[in_shard] - first,
        "targets": targets[in_shard],
    }
    return to_device(batch, device) | {"tokens": torch.tensor(ids_BL.numel()), "weight": shard.weight(count)}
