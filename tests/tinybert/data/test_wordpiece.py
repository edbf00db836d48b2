"""The vocabulary trainer against the slow and obvious one, and its independence of everything but the counts."""

import itertools
import os
import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from tinybert.data import wordpiece
from tinybert.data.wordpiece import CONTINUES, SPECIAL_TOKENS, count_words, train_vocabulary
from tinybert.errors import InputError

ROOT = Path(__file__).parents[3]


def obvious_vocabulary(words, *, vocab_size, min_frequency):
    """Counts every pair of every word anew before each merge."""
    letters = sorted(set("".join(words)))
    entries = [*SPECIAL_TOKENS, *letters, *(CONTINUES + letter for letter in letters)]
    spelled = {word: f" {word[0]} " + "".join(f" {CONTINUES}{letter} " for letter in word[1:]) for word in words}
    while len(entries) < vocab_size:
        pairs = Counter()
        for word, pieces in spelled.items():
            for pair in itertools.pairwise(pieces.split()):
                pairs[pair] += words[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < min_frequency:
            break
        merged = best[0] + best[1][len(CONTINUES) :]
        if merged not in entries:
            entries.append(merged)
        spelled = {word: pieces.replace(f" {best[0]}  {best[1]} ", f" {merged} ") for word, pieces in spelled.items()}
    return entries


def random_words(seed, *, alphabet):
    generator = random.Random(seed)
    words = ("".join(generator.choices(alphabet, k=generator.randint(1, 9))) for _ in range(120))
    return {word: generator.randint(1, 6) for word in words}


@pytest.mark.parametrize("alphabet", ["ab", "abc", "abcdefg"])
@pytest.mark.parametrize("seed", range(6))
def test_the_vocabulary_is_the_one_of_the_slow_and_obvious_trainer_whatever_the_words_order(seed, alphabet):
    words = random_words(seed, alphabet=alphabet)
    shuffled = random.Random(2).sample(list(words.items()), k=len(words))
    assert list(words) != [word for word, _ in shuffled]
    for vocab_size, min_frequency in [(40, 1), (120, 2), (10_000, 1), (10_000, 7)]:
        trained = train_vocabulary(dict(shuffled), vocab_size=vocab_size, min_frequency=min_frequency)
        assert trained == obvious_vocabulary(words, vocab_size=vocab_size, min_frequency=min_frequency)


def test_a_vocabulary_worked_by_hand(monkeypatch: pytest.MonkeyPatch):
    # a ##b: 5, ##b ##b: 2 (once in abb, 2 times), then ab ##b: 2
    words = {"ab": 3, "abb": 2}
    expected = [*SPECIAL_TOKENS, "a", "b", "##a", "##b", "ab", "abb"]
    assert train_vocabulary(words, vocab_size=100, min_frequency=1) == expected
    assert train_vocabulary(words, vocab_size=100, min_frequency=3) == expected[:-1]
    monkeypatch.setattr(wordpiece, "ALPHABET", 0.9)
    assert train_vocabulary(words, vocab_size=10, min_frequency=1) == expected[:-1]


def test_the_hash_seed_of_python_does_not_matter():
    program = (
        "from tinybert.data.wordpiece import count_words, train_vocabulary\n"
        "words = count_words(['the cat sat on the mat with that hat, then ate the oat'] * 3, lowercase=True)\n"
        "print(train_vocabulary(words, vocab_size=60, min_frequency=2))\n"
    )
    printed = set()
    for seed in ("0", "1", "4711"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        printed.add(subprocess.check_output([sys.executable, "-c", program], env=environment, cwd=ROOT, text=True))
    assert len(printed) == 1 and "'the'" in printed.pop()


@pytest.mark.parametrize("lowercase", [True, False])
def test_words_are_those_of_berts_own_normaliser_and_pre_tokeniser(lowercase):
    texts = ["Hello, World!\nDon't\tstop\r\n", "na\u00efve \u0130stanbul \u5317\u4eac x\u4e00y", ""]
    texts += ["a\u00a0b\u200bc\x1cd\x85e f", "\u03a3\u03c2 (x)"]
    normalizer, pre_tokenizer = BertNormalizer(lowercase=lowercase), BertPreTokenizer()
    expected = Counter(
        word for text in texts for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))
    )
    assert count_words(texts, lowercase=lowercase) == expected
    assert expected["\u5317"] == 1 and expected["!"] == 1


def test_only_characters_that_can_stand_inside_a_word_are_continuations():
    vocabulary = train_vocabulary(count_words(["ab, \u5317"], lowercase=True), vocab_size=100, min_frequency=9)
    assert vocabulary == [*SPECIAL_TOKENS, ",", "a", "b", "\u5317", "##a", "##b"]


def test_words_that_are_too_long_or_have_a_rare_character_teach_nothing():
    letters = [*SPECIAL_TOKENS, "a", "b", "##a", "##b"]
    words = {"ab": 5, "xb": 4, "ba": 3}
    assert train_vocabulary(words, vocab_size=13, min_frequency=1) == [*letters, "ab", "ba"]  # 9.75 leave room for 4
    assert train_vocabulary({"ab": 1, "c" * 101: 9}, vocab_size=100, min_frequency=1) == [*letters, "ab"]


def test_the_alphabet_takes_as_much_of_the_vocabulary_as_a_script_needs():
    chinese = {chr(0x4E00 + n): 3000 - n for n in range(3000)}  # one entry a character, two of a letter
    vocabulary = train_vocabulary(chinese | {"ab": 1}, vocab_size=4096, min_frequency=1)
    assert {*chinese, "a", "##b", "ab"} < {*vocabulary}
    small = train_vocabulary(chinese, vocab_size=100, min_frequency=1)
    assert small == [*SPECIAL_TOKENS, *sorted(chinese)[:70]]


def test_texts_without_words_and_a_vocabulary_smaller_than_the_alphabet_are_refused():
    with pytest.raises(InputError, match="no word"):
        train_vocabulary(count_words(["", " \n "], lowercase=True), vocab_size=100, min_frequency=1)
    with pytest.raises(InputError, match="vocab_size is 8, which leaves no room for characters"):
        train_vocabulary({"ab": 1}, vocab_size=8, min_frequency=1)


def test_memory_for_counting_words_does_not_grow_with_their_punctuation(monkeypatch: pytest.MonkeyPatch):
    marks = random.Random(1)
    texts = [" ".join("x" + "".join(marks.choices("!?.,;:", k=16)) for _ in range(50)) for _ in range(1000)]

    words, peaks = [], []
    for chunks in (wordpiece.MAX_CHUNKS, 500):
        monkeypatch.setattr(wordpiece, "MAX_CHUNKS", chunks)
        tracemalloc.start()
        words.append(count_words(texts, lowercase=True))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert words[0] == words[1] and len(words[0]) == 7
    assert peaks[1] < peaks[0] / 20
