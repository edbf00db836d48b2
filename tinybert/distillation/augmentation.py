"""TinyBERT's data augmentation: words of a text replaced by what a masked language model would put in their place.

Jiao et al. 2020, section 3.3 and algorithm 1. Where we deviate: a word of several pieces stays, since the paper takes
neighbours among GloVe's vectors for it, which are no part of this project; the word itself is no candidate; and of two
texts each is changed without the other, as in the authors' code. B batch, L length, V vocabulary, K candidates.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor
from transformers import BertForPreTraining, BertTokenizer

from tinybert.data.length_batches import batches_by_length
from tinybert.data.tokenizer import special_id
from tinybert.data.wordpiece import CONTINUES
from tinybert.errors import InputError
from tinybert.model.checkpoint import has_mlm_head

Text = str | list[str]
"""A text, or its words."""


class Word(NamedTuple):
    """A word of one piece."""

    piece: int
    """The place of its piece among those of the text."""
    first: int
    """Of its characters in the text; of a list of words, its index."""
    end: int


class Analysis(NamedTuple):
    """A text as the model reads it."""

    text: Text
    ids: list[int]
    """With [CLS] and [SEP]."""
    words: list[Word]


def augment(
    texts: Sequence[Text], model: BertForPreTraining, *, tokenizer: BertTokenizer, copies: int, probability: float,
    candidates: int, seed: int, max_length: int, accelerator: Accelerator,
) -> list[list[Text]]:  # fmt: skip
    """`copies` variants of each text, some of which may be equal to each other or to the text.

    In a variant each word that is one piece of the vocabulary is replaced with `probability`, by one of the K =
    `candidates` most probable whole words, drawn with equal chances. A text is read up to `max_length` tokens; what
    follows stays. Randomness is a function of `seed`, the text's index and the copy. Raises InputError where `model`
    has no trained MLM head.
    """
    if not has_mlm_head(model):
        raise InputError(
            f"expected augmentation.copies of 0, got {copies}: the teacher's checkpoint has no MLM head to replace "
            "words with; or else a teacher that was pretrained with one"
        )
    special = set(tokenizer.get_added_vocab().values())
    analyses = [_analyse(text, tokenizer, special, max_length=max_length) for text in texts]
    choices = [[_choose(len(analysis.words), probability=probability, candidates=candidates, position=(seed, n, copy))
                for copy in range(copies)] for n, analysis in enumerate(analyses)]  # fmt: skip
    places = sorted({(n, word) for n, variants in enumerate(choices) for chosen in variants for word in chosen})
    masked = [(analyses[n].ids, analyses[n].words[word].piece + 1) for n, word in places]
    fillers = _fill(masked, model, tokenizer=tokenizer, candidates=candidates, accelerator=accelerator)
    words = {place: tokenizer.convert_ids_to_tokens(ids) for place, ids in zip(places, fillers, strict=True)}
    return [
        [_replaced(analyses[n], {word: words[n, word][rank % len(words[n, word])] for word, rank in chosen.items()})
         for chosen in variants]
        for n, variants in enumerate(choices)
    ]  # fmt: skip


def _analyse(text: Text, tokenizer: BertTokenizer, special: Collection[int], *, max_length: int) -> Analysis:
    backend, in_words = tokenizer.backend_tokenizer, isinstance(text, list)
    encoding = backend.encode(text, is_pretokenized=in_words, add_special_tokens=False)
    ids, pieces_of = encoding.ids[: max_length - 2], Counter(encoding.word_ids)
    words = []
    for piece, token in enumerate(ids):
        number, (first, end) = encoding.word_ids[piece], encoding.offsets[piece]
        assert number is not None, "all pieces are of the text"
        if isinstance(text, list):
            first, end = number, number + 1
        shown = text[first] if isinstance(text, list) else text[first:end]
        if pieces_of[number] == 1 and token not in special and _is_word(shown):
            words.append(Word(piece, first, end))
    cls, sep = (special_id(tokenizer, name) for name in ("cls", "sep"))
    return Analysis(text, [cls, *ids, sep], words)


def _is_word(text: str) -> bool:
    return any(map(str.isalnum, text))


def _choose(words: int, *, probability: float, candidates: int, position: tuple[int, ...]) -> dict[int, int]:
    """The words that a variant replaces, and the rank of the candidate that each gets."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(position)))
    replaced, ranks = random.random(words) < probability, random.integers(candidates, size=words)
    return {int(word): int(ranks[word]) for word in replaced.nonzero()[0]}


def _replaced(analysis: Analysis, words: dict[int, str]) -> Text:
    text = analysis.text
    for number, word in sorted(words.items(), reverse=True):  # from the end, so that the places before it stay
        place = analysis.words[number]
        middle: Any = [word] if isinstance(text, list) else word
        text = text[: place.first] + middle + text[place.end :]
    return text


def _fill(
    masked: Sequence[tuple[list[int], int]], model: BertForPreTraining, *, tokenizer: BertTokenizer, candidates: int,
    accelerator: Accelerator,
) -> list[list[int]]:  # fmt: skip
    """For ids [L] and a place among them: the K most probable whole words there, without the one that is there.

    The longest come first, in batches with little padding; several processes take turns.
    """
    model.eval()
    device, excluded_V = accelerator.device, _excluded(tokenizer, vocab_size=model.config.vocab_size)
    kept = min(candidates, int((~excluded_V).sum()) - 1)
    found: dict[int, list[int]] = {}
    batches = batches_by_length([len(ids) for ids, _ in masked])
    for numbers in batches[accelerator.process_index :: accelerator.num_processes]:
        inputs, places_B, own_B = _collate([masked[n] for n in numbers], tokenizer)
        with torch.inference_mode(), accelerator.autocast():
            hidden_BLH = model.bert(**{name: tensor.to(device) for name, tensor in inputs.items()}).last_hidden_state
            logits_BV = model.cls.predictions(hidden_BLH[torch.arange(len(numbers)), places_B]).float().cpu()
        excluded_BV = excluded_V.repeat(len(numbers), 1)
        excluded_BV[torch.arange(len(numbers)), own_B] = True
        best_BK = logits_BV.masked_fill(excluded_BV, -torch.inf).topk(kept).indices
        found |= dict(zip(numbers, best_BK.tolist(), strict=True))
    return [ids for _, ids in sorted(gather_object([*found.items()]))]


def _excluded(tokenizer: BertTokenizer, *, vocab_size: int) -> Tensor:
    """True for the entries [V] that are no whole words: special ones, continuations, punctuation, and unused ones."""
    excluded_V = torch.ones(vocab_size, dtype=torch.bool)
    special = set(tokenizer.all_special_ids)
    whole = {n for piece, n in tokenizer.get_vocab().items() if not piece.startswith(CONTINUES) and _is_word(piece)}
    excluded_V[sorted(whole - special)] = False
    return excluded_V


def _collate(
    masked: Sequence[tuple[list[int], int]], tokenizer: BertTokenizer
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The model's inputs [B, L] with one [MASK] in each row, its places [B], and what stood there [B]."""
    ids_BL = torch.full((len(masked), max(len(ids) for ids, _ in masked)), special_id(tokenizer, "pad"))
    attention_BL = torch.zeros_like(ids_BL)
    for row, (ids, _) in enumerate(masked):
        ids_BL[row, : len(ids)], attention_BL[row, : len(ids)] = torch.tensor(ids), 1
    places_B, rows_B = torch.tensor([place for _, place in masked]), torch.arange(len(masked))
    own_B = ids_BL[rows_B, places_B]
    ids_BL[rows_B, places_B] = special_id(tokenizer, "mask")
    return {"input_ids": ids_BL, "attention_mask": attention_BL}, places_B, own_B
