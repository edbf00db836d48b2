"""One tokenization from another, word by word, where two vocabularies cut the same words into different pieces.

Greedy WordPiece with fewer entries does not simply split the pieces that it lacks: it may cut elsewhere in the word. So
two tokenizations agree at the ends of words, and nowhere else. A word is a piece and the "##" pieces behind it; special
tokens are words of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import BertTokenizer

from tinybert.data.wordpiece import CONTINUES

SPECIAL = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")


@dataclass(frozen=True)
class Retokenized:
    """A sequence of S source ids as one of T target ids, both of W words."""

    ids: list[int]
    """The target's, [T]."""
    source_words: np.ndarray
    """The word of each source id, from 0, [S]."""
    target_words: np.ndarray
    """The word of each target id, [T]."""


class Retokenizer:
    """From the pieces of `source` to those of `target`, WordPiece tokenizers that split text into the same words."""

    def __init__(self, source: BertTokenizer, target: BertTokenizer) -> None:
        pieces = source.get_vocab()
        self._pieces: list[str] = sorted(pieces, key=pieces.__getitem__)
        self._continues = np.array([piece.startswith(CONTINUES) for piece in self._pieces])
        self._target, self._model = target.get_vocab(), target.backend_tokenizer.model
        by_piece = {getattr(source, name): self._target[getattr(target, name)] for name in SPECIAL}
        self.special = {pieces[piece]: n for piece, n in by_piece.items()}
        """The target's id of each special token, by the source's."""
        self._unknown = by_piece[source.unk_token]
        self._words: dict[tuple[int, ...], list[int]] = {}

    def __call__(self, ids: Sequence[int]) -> Retokenized:
        """The same words in pieces of the target; a word that it cannot spell is [UNK]."""
        source = np.asarray(ids)
        starts = self._starts(source)
        bounds = np.flatnonzero(starts).tolist()
        targets = [
            self._word(tuple(source[a:b].tolist())) for a, b in zip(bounds, [*bounds[1:], len(source)], strict=True)
        ]
        words = np.repeat(np.arange(len(targets)), [len(pieces) for pieces in targets])
        return Retokenized([n for pieces in targets for n in pieces], starts.cumsum() - 1, words)

    def _starts(self, source: np.ndarray) -> np.ndarray:
        """True where a word begins. Behind a special token, or at the start, a piece begins one whatever it is."""
        starts = ~self._continues[source]
        special = np.isin(source, [*self.special])
        starts[0] = True
        starts[1:] |= special[:-1]
        return starts

    def _word(self, source: tuple[int, ...]) -> list[int]:
        if source not in self._words:
            known = self.special.get(source[0])
            self._words[source] = self._convert([self._pieces[n] for n in source]) if known is None else [known]
        return self._words[source]

    def _convert(self, pieces: list[str]) -> list[int]:
        if pieces[0].startswith(CONTINUES):  # the rest of a word whose start is elsewhere
            return [n for piece in pieces for n in self._rest(piece)]
        word = pieces[0] + "".join(piece.removeprefix(CONTINUES) for piece in pieces[1:])
        return [token.id for token in self._model.tokenize(word)]

    def _rest(self, piece: str) -> list[int]:
        if piece in self._target:
            return [self._target[piece]]
        return [self._target.get(CONTINUES + letter, self._unknown) for letter in piece.removeprefix(CONTINUES)]
