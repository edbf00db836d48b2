"""What masked language modelling does to packed blocks: hide tokens, and keep the segments of a block apart.

Suffixes: B = blocks, L = positions in a block, V = vocabulary entries, M = predicted tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

MASKED, RANDOM = 0.8, 0.1  # shares of the predicted tokens that are hidden and that are replaced; the rest is shown


def mask_tokens(
    ids_BL: Tensor,
    *,
    probability: float,
    whole_words: bool,
    continues_word_V: Tensor,
    special_ids: Sequence[int],
    mask_id: int,
    vocab_size: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Choose tokens to predict, and return inputs_BL, their positions [M] in the flattened block, their ids [M].

    Each token outside `special_ids` is chosen with `probability`; with `whole_words` the pieces of a word are chosen
    together. Of the chosen, each by itself, 80 % become `mask_id`, 10 % another entry drawn from all but
    `special_ids`, and 10 % stay (Devlin et al. 2019, section 3.1 and appendix A.1). `continues_word_V` is true for
    the entries that continue a word; after a special token or at the start of a row such a piece begins one, as the
    first part of its word is elsewhere. All chance comes from `generator`, which is on the device of `ids_BL`.
    """
    special_V = torch.zeros(vocab_size, dtype=torch.bool, device=ids_BL.device)
    special_V[list(special_ids)] = True
    special_BL = special_V[ids_BL]
    draws = torch.rand(ids_BL.numel(), generator=generator, device=ids_BL.device)
    if whole_words:
        draws = draws[_word_index(continues_word_V[ids_BL], special_BL)]
    chosen = ((draws < probability) & ~special_BL.flatten()).nonzero().squeeze(1)
    targets = ids_BL.flatten()[chosen]
    inputs = ids_BL.flatten().clone()
    inputs[chosen] = _replace(targets, regular_ids=(~special_V).nonzero(), mask_id=mask_id, generator=generator)
    return inputs.view_as(ids_BL), chosen, targets


def _word_index(continues_BL: Tensor, special_BL: Tensor) -> Tensor:
    """The number of the word that each position of the flattened block belongs to, special tokens counting as words."""
    starts_BL = ~continues_BL
    starts_BL[:, 0] = True
    starts_BL[:, 1:] |= special_BL[:, :-1]
    return starts_BL.flatten().cumsum(0) - 1


def _replace(targets: Tensor, *, regular_ids: Tensor, mask_id: int, generator: torch.Generator) -> Tensor:
    """What stands in the input where targets [M] are to be predicted; `regular_ids` is [entries, 1]."""
    fate = torch.rand(targets.shape, generator=generator, device=targets.device)
    drawn = torch.randint(len(regular_ids), targets.shape, generator=generator, device=targets.device)
    replaced = torch.where(fate < MASKED + RANDOM, regular_ids[drawn, 0].to(targets.dtype), targets)
    return torch.where(fate < MASKED, torch.full_like(targets, mask_id), replaced)


def segments(ids_BL: Tensor, *, cls_id: int) -> Tensor:
    """Which segment of its block each position belongs to [B, L], counted from 0; a segment begins with `cls_id`."""
    return (ids_BL == cls_id).cumsum(1) - 1


def positions(ids_BL: Tensor, *, cls_id: int) -> Tensor:
    """How far into its segment each position is [B, L], `cls_id` being at 0."""
    columns_BL = torch.arange(ids_BL.shape[1], device=ids_BL.device).expand_as(ids_BL)
    starts_BL = torch.where(ids_BL == cls_id, columns_BL, 0).cummax(1).values
    return columns_BL - starts_BL


def attention_mask(segments_BL: Tensor) -> Tensor:
    """Which positions may see each other [B, 1, L, L]: true within a segment, false across."""
    return segments_BL[:, None, :, None] == segments_BL[:, None, None, :]
