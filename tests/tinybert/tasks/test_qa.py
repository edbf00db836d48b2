import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tinybert.tasks.test_kinds import refusals
from tinybert.tasks.qa import model as qa
from tinybert.tasks.qa.rows import Encoding

CONTEXT = "a b c d e f g h i j k l"


def row(*, answer: str | None, context: str = CONTEXT, question: str = "who") -> dict:
    answers = [] if answer is None else [{"text": answer, "start": context.index(answer)}]
    return {"question": question, "context": context, "answers": answers}


def encode(rows: list[dict], tokenizer, *, max_length: int = 12, doc_stride: int = 3) -> list[dict]:
    return qa.encode(rows, tokenizer=tokenizer, max_length=max_length, labels=[], doc_stride=doc_stride)


def pointing(feature: dict, *, start: int, end: int, score: float = 1.0) -> np.ndarray:
    logits = np.zeros((len(feature["input_ids"]), 2))
    logits[start, 0] = logits[end, 1] = score
    return logits


def decode(logits, features, rows, *, max_answer_length: int = 5, unanswerable: bool = False) -> list[str]:
    options = {"max_answer_length": max_answer_length, "unanswerable": unanswerable}
    return qa.decode(logits, features=features, rows=rows, labels=[], **options)


def test_windows_are_doc_stride_apart_and_the_last_one_ends_with_the_context(tokenizer):
    features = encode([row(answer=None)], tokenizer)
    windows = [tokenizer.decode(feature["input_ids"]) for feature in features]
    assert windows == [
        "[CLS] who [SEP] a b c d e f g h [SEP]",
        "[CLS] who [SEP] d e f g h i j k [SEP]",
        "[CLS] who [SEP] g h i j k l [SEP]",
    ]
    assert features[2]["token_type_ids"] == [0] * 3 + [1] * 7
    assert features[1]["offsets"][:2].tolist() == [[6, 7], [8, 9]]


@pytest.mark.parametrize(("answer", "spans"), [(None, [(0, 0)] * 3), ("h i", [(0, 0), (7, 8), (4, 5)])])
def test_an_answer_that_is_not_there_or_cut_by_a_windows_edge_is_at_the_first_position(tokenizer, answer, spans):
    features = encode([row(answer=answer)], tokenizer)
    assert [(feature["start"], feature["end"]) for feature in features] == spans


def test_an_answer_inside_a_word_is_the_pieces_that_share_a_character_with_it(tokenizer):
    (feature,) = encode([row(answer="yl", context="a xylo b")], tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(feature["input_ids"])
    assert tokens[feature["start"] : feature["end"] + 1] == ["##y", "##l"]


def test_a_long_question_is_cut_to_half_of_the_length(tokenizer):
    features = encode([row(answer="l", question="q " * 50)], tokenizer)
    assert {len(feature["input_ids"]) for feature in features} == {12}
    assert {feature["context_start"] for feature in features} == {1 + 6 + 1}


def test_a_context_that_tokenizes_to_nothing_has_no_feature_and_no_answer(tokenizer):
    rows = [row(answer=None, context="\u200b"), row(answer="b")]
    features = encode(rows, tokenizer)
    assert {feature["row"] for feature in features} == {1}
    logits = [pointing(feature, start=4, end=4) for feature in features]
    assert decode(logits, features, rows)[0] == ""


@pytest.mark.parametrize("max_length", [16, 17, 30])
def test_the_largest_doc_stride_that_is_accepted_is_the_largest_that_leaves_no_gap(tokenizer, max_length):
    long_row = row(answer=None, question="q " * 50, context="a " * 60)

    def accepted(doc_stride: int) -> bool:
        return not refusals(Encoding, {"max_length": max_length, "doc_stride": doc_stride})

    def whole(doc_stride: int) -> bool:
        windows = encode([long_row], tokenizer, max_length=max_length, doc_stride=doc_stride)
        return len({begin for window in windows for begin, _ in window["offsets"].tolist()}) == 60

    strides = range(1, max_length)
    assert [accepted(stride) for stride in strides] == [whole(stride) for stride in strides]


@settings(max_examples=60, deadline=None)
@given(first=st.integers(0, 11), length=st.integers(1, 5), max_length=st.integers(16, 30))
def test_decoding_the_gold_positions_gives_back_the_answer(tokenizer, first, length, max_length):
    answer = CONTEXT[2 * first : 2 * (first + length) - 1]
    rows = [row(answer=answer), row(answer="c")]
    features = encode(rows, tokenizer, max_length=max_length)
    logits = [
        pointing(feature, start=feature["start"], end=feature["end"], score=float(feature["start"] > 0))
        for feature in features
    ]
    assert decode(logits, features, rows) == [answer, "c"]


def test_the_answer_comes_from_the_window_where_its_score_is_highest_and_is_held_against_the_lowest_null(tokenizer):
    rows = [row(answer=None)]
    features = encode(rows, tokenizer)
    logits = [
        pointing(feature, start=3, end=4, score=score) for feature, score in zip(features, [2, 3, 1], strict=True)
    ]
    assert decode(logits, features, rows) == ["d e"]
    for window, null_score in zip(logits, [9.0, 2.5, 9.0], strict=True):
        window[0] = null_score
    assert decode(logits, features, rows, unanswerable=True) == ["d e"]


def test_an_answer_is_spelt_as_the_context_spells_it(tokenizer):
    rows = [row(answer=None, context="The  CAT, sat.")]
    (feature,) = encode(rows, tokenizer)
    assert decode([pointing(feature, start=3, end=5)], [feature], rows) == ["The  CAT,"]


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=9),
    max_answer_length=st.integers(1, 12),
)
def test_the_best_span_is_that_of_a_search_over_all_valid_pairs(scores, max_answer_length):
    spans = [
        (scores[first][0] + scores[last][1], -first, -last)
        for first in range(len(scores))
        for last in range(first, min(first + max_answer_length, len(scores)))
    ]
    score, first, last = max(spans)
    best = qa._best_span(np.array(scores, dtype=np.float32), max_answer_length=max_answer_length)
    assert best == (score, -first, -last)


@pytest.mark.parametrize(("null_score", "unanswerable", "answer"), [(0.9, True, "b"), (1.1, True, ""), (9, False, "b")])
def test_no_answer_is_given_only_where_allowed_and_where_the_first_position_scores_higher(
    tokenizer, null_score, unanswerable, answer
):
    rows = [row(answer=None, context="a b c")]
    (feature,) = encode(rows, tokenizer)
    logits = pointing(feature, start=4, end=4)
    logits[0] = null_score
    assert decode([logits], [feature], rows, unanswerable=unanswerable) == [answer]
