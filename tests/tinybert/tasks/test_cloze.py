"""Cloze questions: what they are made of, how many there are, and that the same seed gives the same ones."""

from itertools import pairwise
from typing import Any

import pytest

from tinybert.errors import InputError
from tinybert.tasks.cloze import AFTER, ANYWHERE, BEFORE, FEWEST, LONGEST_NAME, Cloze, cloze_questions

WORDS = "our old ship left port in May and came back after Two hundred days".split()
OPENINGS = ("When", "Who")
LIKE = [{"question": f"{word} was it?", "context": "x" * length} for word in OPENINGS for length in (70, 200)]
"""Passages for them have 56 to 250 characters."""
LONG = "A line that is far longer than any context of the task can be, " * 5


def sentence(number: int) -> str:
    """14 words that no other sentence has, two of them with a capital."""
    return " ".join(f"{word}{number}" for word in WORDS) + "."


def made(documents: list[str], *, count: int = 2, rows: int = 4, seed: int = 1, held_out: Any = ()) -> Cloze:
    return cloze_questions(documents, like=(LIKE * rows)[:rows], held_out=held_out, count=count, seed=seed)


def contexts(cloze: Cloze) -> list[str]:
    return [*dict.fromkeys(row["context"] for row in cloze.rows)]


def parts(row: dict[str, str]) -> tuple[list[str], list[int]]:
    """The words of a question, and of those from the passage their places there."""
    words, passage = row["question"][:-1].split(), [word.rstrip(".") for word in row["context"].split()]
    return words, [passage.index(word.rstrip(".")) for word in words if word not in OPENINGS]


def test_a_question_has_words_of_one_sentence_in_their_order_and_the_first_word_of_a_question_of_the_task():
    cloze = made([f"{sentence(n)}\n{sentence(n + 50)}" for n in range(40)], rows=40, count=3)
    assert len(contexts(cloze)) == 40
    for row in cloze.rows:
        words, places = parts(row)
        assert row["question"].endswith("?") and sum(word in OPENINGS for word in words) == 1
        assert places == sorted(set(places)) and len({place // len(WORDS) for place in places}) == 1
        assert FEWEST <= len(places) <= BEFORE[1] + AFTER[1]


def test_where_the_opening_stands_in_the_gap_what_it_stands_for_is_missing():
    """A name in most questions, since all others are ANYWHERE; a gap there may hold a name as well."""
    cloze = made([sentence(n) for n in range(100)], rows=100, count=10)
    inside = [(words, places) for words, places in map(parts, cloze.rows) if words[0] not in OPENINGS]
    gaps = []
    for words, places in inside:
        at = next(n for n, word in enumerate(words) if word in OPENINGS)
        following = places[at] if at < len(places) else len(WORDS)
        assert following - places[at - 1] >= 2
        gaps.append(range(places[at - 1] + 1, following))
    named = sum(any(WORDS[place][0].isupper() for place in gap) for gap in gaps) / len(gaps)
    assert len(gaps) > 300 and named > 1 - ANYWHERE


def test_a_title_in_capitals_is_no_gap_of_the_whole_sentence():
    title = " ".join(f"{word.capitalize()}{n}" for n, word in enumerate(WORDS))
    for row in made([title], rows=1, count=50).rows:
        assert len(row["question"].split()) > FEWEST
        _, places = parts(row)
        assert all(after - before <= LONGEST_NAME + 4 for before, after in pairwise(places))  # and words left out


def test_up_to_count_different_questions_of_as_many_passages_as_there_are_rows():
    cloze = made([sentence(n) for n in range(50)], rows=20, count=3)
    assert contexts(cloze) == [sentence(n) for n in range(20)]
    assert len({row["question"] for row in cloze.rows}) == len(cloze.rows) == 60 == 3 * cloze.passages


def test_each_document_gives_a_passage_before_one_gives_two():
    documents = ["\n".join([LONG, *(f"{sentence(n * 10 + m)}\n{LONG}" for m in range(3))]) for n in range(3)]
    assert contexts(made(documents, rows=6)) == [sentence(n) for n in (0, 10, 20, 1, 11, 21)]
    assert len(contexts(made(documents, rows=60))) == 9


def test_short_lines_are_joined_and_a_line_longer_than_the_contexts_is_no_passage():
    short = " ".join(sentence(1).split()[:8])
    assert contexts(made([f"{LONG}\n{short}\n{sentence(2)}\n{LONG}"])) == [f"{short} {sentence(2)}"]
    assert contexts(made([f"{LONG}\n{sentence(2)}\n{LONG}"])) == [sentence(2)]


def test_passages_are_about_as_long_as_contexts_are():
    like = [{"question": "Who?", "context": "x" * length} for length in (100, 400)] * 50
    documents = ["\n".join(sentence(1000 * n + m) for m in range(40)) for n in range(100)]
    rows = cloze_questions(documents, like=like, held_out=(), count=1, seed=1).rows
    lengths = sorted(len(row["context"]) for row in rows)
    assert 80 <= lengths[0] < 200 and 400 <= lengths[-1] <= 500
    assert 20 < sum(length > 300 for length in lengths) < 80


def test_contexts_of_one_length_have_passages_too():
    like = [{"question": "Who?", "context": "x" * 100}] * 3
    assert cloze_questions([sentence(n) for n in range(9)], like=like, held_out=(), count=1, seed=1).passages == 3


def test_what_has_a_sentence_of_a_held_out_context_is_left_out_and_counted():
    documents, held_out = [sentence(n) for n in range(6)], [{"context": f"Other.\n{sentence(3)} {sentence(77)}"}]
    cloze = made(documents, rows=6, held_out=held_out)
    assert contexts(cloze) == [sentence(n) for n in (0, 1, 2, 4, 5)] and cloze.held_out == 1


def test_a_repeated_passage_counts_once():
    assert contexts(made([sentence(1), sentence(1).upper(), sentence(2)])) == [sentence(1), sentence(2)]


def test_documents_without_a_passage_take_no_place():
    assert contexts(made(["too short", LONG, sentence(1)], rows=1)) == [sentence(1)]


def test_the_same_seed_gives_the_same_questions_and_another_one_others():
    documents = [sentence(n) for n in range(10)]
    assert made(documents, rows=10) == made(documents, rows=10) != made(documents, rows=10, seed=2)


def test_further_documents_do_not_change_the_questions_of_those_that_are_used():
    documents = [sentence(n) for n in range(10)]
    assert made(documents, rows=10) == made([*documents, sentence(99)], rows=10)


@pytest.mark.parametrize("documents", [[], ["short"], [LONG], ["wordwithoutspaces" * 6], ["Six words. " * 10]])
def test_a_corpus_without_a_passage_to_ask_about_is_refused(documents: list[str]):
    with pytest.raises(InputError, match=r"^expected sentences of 8 words .* of 56 to 250 characters, .* got none$"):
        made(documents)
