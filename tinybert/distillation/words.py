"""Inner states by word, where student and teacher cut the same words into different pieces.

The state of a word is that of its last piece, which has seen the others. Its embedding, query, key and value are the
means of its pieces', so that the attention score of two words is the mean over the scores of their pieces.
B batch, L length of one side, W words of the longest row, H width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tinybert.data.retokenizing import Retokenized, Retokenizer
from tinybert.distillation.teacher import EMBEDDING, States


@dataclass(frozen=True)
class Words:
    """Which tokens of one side make up each word of a batch."""

    index_BL: Tensor
    """The word of each token, from 0; W at padding and at the pieces of words that are not compared."""
    last_BW: Tensor
    """The place of each word's last piece; 0 where a row has fewer words."""
    count_BW: Tensor
    """Its pieces, at least 1."""

    def to(self, device: torch.device) -> "Words":
        return Words(self.index_BL.to(device), self.last_BW.to(device), self.count_BW.to(device))


@dataclass(frozen=True)
class Alignment:
    """A batch in the pieces of another tokenizer, and the words that both sides have whole."""

    ids_BT: Tensor
    real_BT: Tensor
    """False at padding."""
    source: Words
    target: Words
    real_BW: Tensor
    """False where a row has fewer words."""


def align(ids_BL: Tensor, real_BL: Tensor, retokenizer: Retokenizer, *, pad_token_id: int, longest: int) -> Alignment:
    """Retokenize a batch on the CPU; of a row that gets longer than `longest` tokens, the rest is cut off.

    The words that are cut off, or cut through, are not compared.
    """
    lengths = real_BL.sum(1).tolist()
    rows = [retokenizer(ids[:length].tolist()) for ids, length in zip(ids_BL, lengths, strict=True)]
    whole = [_whole_words(row, longest) for row in rows]
    ids = [torch.tensor(row.ids[:longest]) for row in rows]
    ids_BT = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad_token_id)
    counts = torch.tensor([len(row) for row in ids])
    width = max(whole)
    return Alignment(
        ids_BT, torch.arange(ids_BT.shape[1]) < counts[:, None],
        _words([row.source_words for row in rows], whole, length=ids_BL.shape[1], width=width),
        _words([row.target_words[:longest] for row in rows], whole, length=ids_BT.shape[1], width=width),
        torch.arange(width) < torch.tensor(whole)[:, None],
    )  # fmt: skip


def _whole_words(row: Retokenized, longest: int) -> int:
    """How many words lie within the first `longest` target ids."""
    words = row.target_words
    return int(words[-1] + 1 if len(words) <= longest else words[longest])


def _words(rows: Sequence[np.ndarray], whole: Sequence[int], *, length: int, width: int) -> Words:
    index_BL = np.full((len(rows), length), width)
    last_BW, count_BW = np.zeros((len(rows), width), int), np.ones((len(rows), width), int)
    for n, (words, count) in enumerate(zip(rows, whole, strict=True)):
        compared = words[words < count]
        index_BL[n, : len(compared)] = compared
        pieces = np.bincount(compared, minlength=count)
        last_BW[n, :count], count_BW[n, :count] = pieces.cumsum() - 1, pieces
    return Words(*map(torch.from_numpy, (index_BL, last_BW, count_BW)))


def by_word(states: States, words: Words) -> States:
    """The states [B, W, H] of each word."""
    hidden = {n: _means(state, words) if n == EMBEDDING else _at(state, words.last_BW)
              for n, state in states.hidden.items()}  # fmt: skip
    means = (
        {n: _means(state, words) for n, state in part.items()} for part in (states.query, states.key, states.value)
    )
    return States(hidden, *means)


def _at(state_BLH: Tensor, places_BW: Tensor) -> Tensor:
    return state_BLH.gather(1, places_BW[..., None].expand(-1, -1, state_BLH.shape[-1]))


def _means(state_BLH: Tensor, words: Words) -> Tensor:
    batch, width = words.last_BW.shape
    sums = state_BLH.new_zeros(batch, width + 1, state_BLH.shape[-1])
    sums = sums.scatter_add(1, words.index_BL[..., None].expand_as(state_BLH), state_BLH)
    return sums[:, :width] / words.count_BW[..., None]
