"""Cloze questions: what they are made of, how many there are, and that the same seed gives the same ones."""

from collections import Counter

import pytest

from tinybert.errors import InputError
from tinybert.tasks.cloze import AFTER, BEFORE, cloze_questions

WORDS = "the old ship left port in May and came back after Two hundred days at sea".split()
LIKE = [{"question": "When did it leave?", "context": "x" * 70}, {"question": "Who sailed?", "context": "x" * 210}]
LONG = "A line that is far longer than any context of the task can be, " * 4


def sentence(number: int) -> str:
    """15 words that no other sentence has, but for a number and a name in each."""
    return " ".join(f"{word}{number}" for word in WORDS) + "."


def made(documents: list[str], *, count: int = 2, rows: int = 2, seed: int = 1) -> list[tuple[str, str]]:
    questions = cloze_questions(documents, like=LIKE * (rows // 2), count=count, seed=seed)
    return [(row["question"], row["context"]) for row in questions]


def test_a_question_has_words_of_one_sentence_of_its_passage_in_their_order_and_one_opening_of_a_task_question():
    for question, context in made([f"{sentence(n)} {sentence(n + 50)}" for n in range(40)], rows=40, count=3):
        assert question.endswith("?")
        words, passage = question[:-1].split(), [part.rstrip(".") for part in context.split()]
        (opening,) = [word for word in words if word in ("When", "Who")]
        kept = [word for word in words if word != opening]
        places = [passage.index(word) for word in kept]
        assert places == sorted(places)
        assert len({place // len(WORDS) for place in places}) <= 1, "of one sentence"
        assert len(kept) <= BEFORE[1] + AFTER[1]


def test_the_gap_is_not_in_the_question():
    """What is left out between the words before and behind it is a name, a number, or a few words."""
    gaps = Counter[str]()
    for question, _ in made([sentence(0)], count=200):
        words = question[:-1].split()
        if words[0] in ("When", "Who"):
            continue
        (at,) = [n for n, word in enumerate(words) if word in ("When", "Who")]
        assert at
        gaps.update(word for word in ("May0", "Two0") if word not in words)
    assert gaps["May0"] > 10 and gaps["Two0"] > 10


def test_up_to_count_different_questions_of_as_many_passages_as_there_are_rows():
    questions = made([sentence(n) for n in range(50)], rows=20, count=3)
    assert len(set(questions)) == len(questions)
    by_passage = Counter(context for _, context in questions)
    assert [*by_passage] == [sentence(n) for n in range(20)]
    assert max(by_passage.values()) == 3 and len(questions) > 50


def test_each_document_gives_a_passage_before_one_gives_two():
    documents = ["\n".join(sentence(n * 10 + m) for m in range(3)) for n in range(3)]
    contexts = [*dict.fromkeys(context for _, context in made(documents, rows=6))]
    assert contexts == [sentence(n) for n in (0, 10, 20, 1, 11, 21)]


def test_short_lines_are_joined_and_a_line_longer_than_the_contexts_is_no_passage():
    halves = sentence(0).split(" port0 ")
    document = f"{LONG}\n{halves[0]} port0\n{halves[1]}\n{LONG}"
    assert {context for _, context in made([document])} == {sentence(0)}


def test_the_same_seed_gives_the_same_questions_and_another_one_others():
    documents = [sentence(n) for n in range(10)]
    assert made(documents, rows=10) == made(documents, rows=10) != made(documents, rows=10, seed=2)


def test_further_documents_do_not_change_the_questions_of_those_that_are_used():
    documents = [sentence(n) for n in range(10)]
    assert made(documents, rows=10) == made([*documents, sentence(99)], rows=10)


@pytest.mark.parametrize("documents", [[], ["short"], [LONG], ["wordwithoutspaces" * 6], ["Six words. " * 10]])
def test_a_corpus_without_a_passage_to_ask_of_is_refused(documents: list[str]):
    with pytest.raises(InputError, match="expected sentences of 8 words or more in passages of 77 to 203 characters"):
        made(documents)
