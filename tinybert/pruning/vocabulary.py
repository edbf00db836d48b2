"""A student's vocabulary: those of its teacher's entries that its texts use most, with their embeddings.

V the teacher's entries, v the student's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import BertForPreTraining, BertTokenizer

from tinybert.data.wordpiece import CONTINUES
from tinybert.errors import InputError

OPTIONS = ("do_lower_case", "tokenize_chinese_chars", "strip_accents", "model_max_length")
VOCABULARY = (
    "bert.embeddings.word_embeddings.weight",
    "cls.predictions.bias",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
)
"""Parameters with a row for each entry."""


def frequencies(blocks: np.ndarray, *, vocab_size: int) -> np.ndarray:
    """The share of each entry among the tokens of packed blocks [N, L], [V]; zeros without blocks."""
    counts = np.zeros(vocab_size)
    for start in range(0, len(blocks), 4096):
        counts += np.bincount(blocks[start : start + 4096].ravel(), minlength=vocab_size)
    return counts / max(counts.sum(), 1)


def most_frequent_entries(frequencies_V: np.ndarray, tokenizer: BertTokenizer, *, size: int) -> list[int]:
    """The `size` entries that a student keeps, as ids of its teacher in increasing order.

    The special tokens, added ones too, and every character of a used entry stay, so that a rare word is spelt and not
    lost; the rest are the most frequent entries, of equally frequent ones the first. Raises InputError when `size` is
    above the teacher's or too small for those that have to stay.
    """
    ids = tokenizer.get_vocab()
    if size > len(ids):
        raise InputError(f"vocab_size is {size}, but the teacher's vocabulary has {len(ids)} entries")
    used = [piece for piece, n in ids.items() if frequencies_V[n]]
    letters = {letter for piece in used for letter in piece.removeprefix(CONTINUES)}
    spelt = {ids[form] for letter in letters for form in (letter, CONTINUES + letter) if form in ids}
    kept = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values(), *spelt}
    if size < len(kept):
        raise InputError(f"vocab_size is {size}; expected {len(kept)} or more, the special tokens and all characters")
    order = np.argsort(-frequencies_V[: len(ids)], kind="stable").tolist()
    rest = [n for n in order if n not in kept]
    return sorted([*kept, *rest[: size - len(kept)]])


def reduce_tokenizer(tokenizer: BertTokenizer, kept: Sequence[int]) -> BertTokenizer:
    """The tokenizer with the entries `kept`, in their order."""
    ids = tokenizer.get_vocab()
    pieces = sorted(ids, key=ids.__getitem__)
    options = {name: tokenizer.init_kwargs[name] for name in OPTIONS if name in tokenizer.init_kwargs}
    reduced = BertTokenizer(vocab={pieces[old]: new for new, old in enumerate(kept)}, **options)
    own = reduced.get_added_vocab()
    added: Any = [token for _, token in sorted(tokenizer.added_tokens_decoder.items()) if str(token) not in own]
    reduced.add_tokens(added)
    return reduced


def reduce_embeddings(model: BertForPreTraining, kept: Sequence[int], *, pad_token_id: int) -> BertForPreTraining:
    """A copy of the model with the embeddings of the entries `kept` alone, and its MLM head over these."""
    config: dict[str, Any] = model.config.to_dict() | {"vocab_size": len(kept), "pad_token_id": pad_token_id}
    reduced = BertForPreTraining(type(model.config)(**config))
    weights, rows = model.state_dict(), torch.tensor(kept)
    reduced.load_state_dict({
        name: weights[name][rows] if name in VOCABULARY else weights[name] for name in reduced.state_dict()
    })  # fmt: skip
    return reduced


def unknown_share(frequencies_V: np.ndarray, tokenizer: BertTokenizer, reduced: BertTokenizer) -> float:
    """The share of tokens, by `frequencies_V`, that the reduced vocabulary cannot spell."""
    known = reduced.get_vocab()

    def spelt(piece: str) -> bool:
        first, rest = (piece[:3], piece[3:]) if piece.startswith(CONTINUES) else (piece[:1], piece[1:])
        return piece in known or (first in known and all(CONTINUES + letter in known for letter in rest))

    # In the order of ids: a vocabulary comes in another one each time, and a sum of floats depends on it.
    lost = sorted(n for piece, n in tokenizer.get_vocab().items() if not spelt(piece))
    return float(frequencies_V[lost].sum())
