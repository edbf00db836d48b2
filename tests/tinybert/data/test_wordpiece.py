"""The vocabulary trainer against the slow and obvious one, and its independence of everything but the counts."""

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
from tinybert.data.wordpiece import PREFIX, SPECIAL_TOKENS, count_words, train_vocabulary
from tinybert.errors import InputError

ROOT = Path(__file__).parents[3]


def obvious_vocabulary(words, *, vocab_size, min_frequency):
    """Counts every pair of every word anew before each merge."""
    letters = sorted(set("".join(words)))
    entries = [*SPECIAL_TOKENS, *letters, *(PREFIX + letter for letter in letters)]
    spelled = {word: (word[0], *(PREFIX + letter for letter in word[1:])) for word in words}
    while len(entries) < vocab_size:
        pairs = Counter()
        for word, pieces in spelled.items():
            for pair in zip(pieces, pieces[1:], strict=False):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < min_frequency:
            break
        merged = best[0] + best[1][len(PREFIX) :]
        if merged not in entries:
            entries.append(merged)
        for word, pieces in spelled.items():
            joined, at = [], 0
            while at < len(pieces):
                if pieces[at : at + 2] == best:
                    joined.append(merged)
                    at += 2
                else:
                    joined.append(pieces[at])
                    at += 1
            spelled[word] = tuple(joined)
    return entries


def random_words(seed, *, alphabet):
    generator = random.Random(seed)
    words = ("".join(generator.choices(alphabet, k=generator.randint(1, 9))) for _ in range(120))
    return {word: generator.randint(1, 6) for word in words}


@pytest.mark.parametrize("alphabet", ["ab", "abc", "abcdefg"])
@pytest.mark.parametrize("seed", range(6))
def test_the_vocabulary_is_the_one_of_the_slow_and_obvious_trainer(seed, alphabet):
    words = random_words(seed, alphabet=alphabet)
    for vocab_size, min_frequency in [(40, 1), (120, 2), (10_000, 1), (10_000, 7)]:
        trained = train_vocabulary(words, vocab_size=vocab_size, min_frequency=min_frequency)
        assert trained == obvious_vocabulary(words, vocab_size=vocab_size, min_frequency=min_frequency)


def test_a_vocabulary_worked_by_hand():
    # a ##b: 5, ##b ##b: 2 (once in abb, 2 times), then ab ##b: 2
    words = {"ab": 3, "abb": 2}
    expected = [*SPECIAL_TOKENS, "a", "b", "##a", "##b", "ab", "abb"]
    assert train_vocabulary(words, vocab_size=100, min_frequency=1) == expected
    assert train_vocabulary(words, vocab_size=100, min_frequency=3) == expected[:-1]
    assert train_vocabulary(words, vocab_size=10, min_frequency=1) == expected[:-1]


def test_the_order_of_the_words_does_not_matter():
    words = random_words(1, alphabet="abcdef")
    shuffled = list(words.items())
    random.Random(2).shuffle(shuffled)
    assert list(words) != [word for word, _ in shuffled]
    options = {"vocab_size": 200, "min_frequency": 1}
    assert train_vocabulary(dict(shuffled), **options) == train_vocabulary(words, **options)


def test_the_hash_seed_of_python_does_not_matter():
    program = (
        "from tinybert.data.wordpiece import count_words, train_vocabulary\n"
        "words = count_words(['the cat sat on the mat with that hat, then ate the oat'] * 3, lowercase=True)\n"
        "print(train_vocabulary(words, vocab_size=60, min_frequency=2))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(printed) == 1 and "'the'" in printed.pop()


@pytest.mark.parametrize("lowercase", [True, False])
def test_words_are_those_of_berts_own_normaliser_and_pre_tokeniser(lowercase):
    texts = [
        "Hello, World!\nDon't\tstop\r\n",
        "na\u00efve \u0130stanbul \u5317\u4eac x\u4e00y",
        "",
        "a\u00a0b\u200bc\x1cd\x85e f",
        "\u03a3\u03c2 (x)",
    ]
    normalizer, pre_tokenizer = BertNormalizer(lowercase=lowercase), BertPreTokenizer()
    expected = Counter(
        word for text in texts for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))
    )
    assert count_words(texts, lowercase=lowercase) == expected
    assert expected["\u5317"] == 1 and expected["!"] == 1


def test_only_characters_that_can_stand_inside_a_word_are_continuations():
    vocabulary = train_vocabulary(count_words(["ab, \u5317"], lowercase=True), vocab_size=100, min_frequency=9)
    assert vocabulary == [*SPECIAL_TOKENS, ",", "a", "b", "\u5317", "##a", "##b"]


def test_the_rarest_characters_go_and_words_with_them_teach_nothing():
    words = {"ab": 5, "xb": 4, "ba": 3}
    vocabulary = train_vocabulary(words, vocab_size=100, min_frequency=1, max_characters=2)
    assert vocabulary == [*SPECIAL_TOKENS, "a", "b", "##a", "##b", "ab", "ba"]


def test_a_vocabulary_smaller_than_the_alphabet_is_refused():
    with pytest.raises(InputError, match="vocab_size is 8, .* 2 characters .* already take 9 entries"):
        train_vocabulary({"ab": 1}, vocab_size=8, min_frequency=1)


def test_texts_without_words_are_refused():
    with pytest.raises(InputError, match="no word"):
        train_vocabulary(count_words(["", " \n "], lowercase=True), vocab_size=100, min_frequency=1)


def test_words_longer_than_wordpiece_reads_teach_nothing():
    assert train_vocabulary({"ab": 1, "c" * 101: 9}, vocab_size=100, min_frequency=1)[5:] == [
        "a",
        "b",
        "##a",
        "##b",
        "ab",
    ]


def test_memory_for_counting_words_does_not_grow_with_their_punctuation(monkeypatch: pytest.MonkeyPatch):
    marks = random.Random(1)
    texts = [" ".join("x" + "".join(marks.choices("!?.,;:", k=16)) for _ in range(50)) for _ in range(1000)]

    def counted() -> tuple[Counter[str], int]:
        tracemalloc.start()
        words = count_words(texts, lowercase=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return words, peak

    plain, grown = counted()
    monkeypatch.setattr(wordpiece, "MAX_CHUNKS", 500)
    streamed, peak = counted()
    assert streamed == plain and len(plain) == 7
    assert peak < grown / 20
