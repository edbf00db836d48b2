"""A WordPiece vocabulary learnt from word counts: the same counts always give the same vocabulary.

The trainer of the library `tokenizers` cannot promise that, even on one thread: seven runs on the same text gave four
different vocabularies. Everything after the vocabulary would then differ from run to run.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from tinybert.errors import InputError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUES = "##"
"""What a piece that continues a word begins with."""
MAX_WORD_CHARACTERS = 100  # what transformers gives WordPiece: a longer word is [UNK], whatever the vocabulary
ALPHABET = 0.75  # of a vocabulary at most, so that Chinese leaves room for words
MAX_CHUNKS = 1 << 20  # distinct chunks between spaces held at once: words with their punctuation, an endless variety

Pair = tuple[int, int]
Places = defaultdict[Pair, list[int]]  # the words in which a pair occurs, or did


def count_words(texts: Iterable[str], *, lowercase: bool) -> Counter[str]:
    """How often each word of BERT's normaliser and pre-tokeniser occurs; memory grows with the distinct words alone."""
    chunks, words = Counter[str](), Counter[str]()
    for text in texts:
        # Both work character by character and end every word at a space, so that each distinct chunk is split once.
        chunks.update(text.replace("\n", " ").split(" "))
        if len(chunks) > MAX_CHUNKS:
            _add_words(words, chunks, lowercase=lowercase)
            chunks.clear()
    _add_words(words, chunks, lowercase=lowercase)
    return words


def _add_words(words: Counter[str], chunks: Counter[str], *, lowercase: bool) -> None:
    normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lowercase)
    pre_tokenizer = BertPreTokenizer()
    for chunk, count in chunks.items():
        for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(chunk)):
            words[word] += count


def train_vocabulary(words: Mapping[str, int], *, vocab_size: int, min_frequency: int) -> list[str]:
    """The at most `vocab_size` entries of a WordPiece vocabulary; an entry's id is its index in the list.

    First the special tokens, then the alphabet (characters, alone and as continuation: the most frequent ones, as many
    as fit into ALPHABET of the vocabulary), then the results of repeatedly merging the most frequent pair of
    neighbouring pieces, as long as the pair occurs `min_frequency` times (Sennrich et al. 2016, algorithm 1, on pieces
    marked as in BERT). Equally frequent pairs are merged in the order of their strings, so that nothing depends on the
    order of `words`. A pair that spells an existing entry is merged too and adds none.

    Raises InputError where there are no words, or where `vocab_size` has no room for one character.
    """
    words = {word: count for word, count in sorted(words.items()) if 0 < len(word) <= MAX_WORD_CHARACTERS}
    if not words:
        raise InputError("there is no word to learn a vocabulary from: the texts are empty")
    characters = _frequent_characters(words, entries=int(vocab_size * ALPHABET) - len(SPECIAL_TOKENS))
    if not characters:
        raise InputError(f"vocab_size is {vocab_size}, which leaves no room for characters beside the special tokens")
    entries = [*SPECIAL_TOKENS, *_alphabet(characters)]
    # A word with a character outside the vocabulary is [UNK] as a whole, so none of its pieces would ever be used.
    kept = {word: count for word, count in words.items() if characters.issuperset(word)}
    return _merge_pairs(kept, entries=entries, vocab_size=vocab_size, min_frequency=min_frequency)


def _frequent_characters(words: Mapping[str, int], *, entries: int) -> set[str]:
    """The most frequent characters that make at most `entries`; of equally frequent ones the lower code points."""
    counts = Counter[str]()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    ordered = sorted(counts, key=lambda character: (-counts[character], character))
    sizes = itertools.accumulate(len(_alphabet({character})) for character in ordered)
    return {character for character, size in zip(ordered, sizes, strict=True) if size <= entries}


def _alphabet(characters: set[str]) -> list[str]:
    """All characters, then the continuations of those that can stand inside a word."""
    ordered = sorted(characters)
    return ordered + [CONTINUES + character for character in ordered if not _stands_alone(character)]


def _stands_alone(character: str) -> bool:
    """Whether BERT always makes this character a word of its own, as it does with punctuation and Chinese."""
    normalizer = BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    return len(BertPreTokenizer().pre_tokenize_str(normalizer.normalize_str("a" + character))) > 1


def _merge_pairs(words: Mapping[str, int], *, entries: list[str], vocab_size: int, min_frequency: int) -> list[str]:
    """`entries`, grown by merges of neighbouring pieces until it is full or no pair is frequent enough."""
    pieces = list(entries)
    ids = {piece: index for index, piece in enumerate(pieces)}
    counts = list(words.values())
    spelled = [[ids[word[0]], *(ids[CONTINUES + character] for character in word[1:])] for word in words]
    pair_counts, places = _count_pairs(spelled, counts)
    # Largest count first, then the pair's strings. A count that shrank is corrected when its pair comes up.
    heap = [(-count, pieces[left], pieces[right], left, right) for (left, right), count in pair_counts.items()]
    heapq.heapify(heap)
    while heap and len(pieces) < vocab_size:
        negated, left_piece, right_piece, left, right = heapq.heappop(heap)
        count = pair_counts.get((left, right), 0)
        if count != -negated:
            if 0 < count < -negated:
                heapq.heappush(heap, (-count, left_piece, right_piece, left, right))
            continue
        if count < min_frequency:
            break
        merged = left_piece + right_piece.removeprefix(CONTINUES)
        if merged not in ids:
            ids[merged] = len(pieces)
            pieces.append(merged)
        new = ids[merged]
        changes = _replace(spelled, counts, places.pop((left, right)), (left, right), new, places)
        for pair, change in changes.items():
            pair_counts[pair] = pair_counts.get(pair, 0) + change
            if change > 0:
                heapq.heappush(heap, (-pair_counts[pair], pieces[pair[0]], pieces[pair[1]], *pair))
            elif pair_counts[pair] == 0:
                del pair_counts[pair]
    return pieces


def _count_pairs(spelled: list[list[int]], counts: list[int]) -> tuple[dict[Pair, int], Places]:
    """For each pair of neighbouring pieces, how often it occurs and in which words."""
    pair_counts: defaultdict[Pair, int] = defaultdict(int)
    places = Places(list)
    for index, word in enumerate(spelled):
        for pair in zip(word, word[1:], strict=False):
            pair_counts[pair] += counts[index]
            places[pair].append(index)
    return dict(pair_counts), places


def _replace(
    spelled: list[list[int]], counts: list[int], indices: list[int], pair: Pair, new: int, places: Places
) -> dict[Pair, int]:
    """Replace `pair` by `new` in the words at `indices`, left to right, and return the change of each pair's count.

    `places` only grows: a word in it that has lost its pair is skipped here.
    """
    left, right = pair
    changes: defaultdict[Pair, int] = defaultdict(int)
    for index in indices:
        word, count, at = spelled[index], counts[index], 0
        while at < len(word) - 1:
            if word[at] == left and word[at + 1] == right:
                changes[pair] -= count
                if at > 0:
                    changes[word[at - 1], left] -= count
                    changes[word[at - 1], new] += count
                    places[word[at - 1], new].append(index)
                if at + 2 < len(word):
                    changes[right, word[at + 2]] -= count
                    changes[new, word[at + 2]] += count
                    places[new, word[at + 2]].append(index)
                word[at : at + 2] = [new]
            at += 1
    return changes
