"""Encoding, losses and decoding of each kind; what holds for all of them is in test_kinds.py."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tinybert.tasks.test_kinds import refusals
from tinybert.errors import InputError
from tinybert.tasks.classification import encoding as classification
from tinybert.tasks.classification.model import collate as collate_texts
from tinybert.tasks.multilabel import encoding as multilabel
from tinybert.tasks.multilabel import model as multilabel_model
from tinybert.tasks.ner import encoding as ner
from tinybert.tasks.ner.model import collate as collate_words
from tinybert.tasks.qa import encoding as qa
from tinybert.tasks.qa.rows import Encoding
from tinybert.tasks.regression import encoding as regression
from tinybert.tasks.regression import model as regression_model

WORDS = st.lists(st.sampled_from(["cat", "mat", "xylo", "dog", "q", "?", "\u200b"]), max_size=12).map(" ".join)
FEATURES = [
    {"row": 0, "input_ids": [2, 9, 3], "token_type_ids": [0, 0, 0], "label": 1},
    {"row": 1, "input_ids": [2, 9, 3, 8, 3], "token_type_ids": [0, 0, 0, 1, 1], "label": 0},
]


def encode_texts(*texts: tuple[str, str | None], tokenizer, max_length: int = 9) -> list[dict]:
    rows = [{"text": text, "text_pair": text_pair, "label": "b"} for text, text_pair in texts]
    return classification.encode(rows, tokenizer=tokenizer.backend_tokenizer, max_length=max_length, labels=["a", "b"])


@settings(max_examples=60, deadline=None)
@given(text=WORDS, text_pair=st.none() | WORDS, max_length=st.integers(7, 24))
def test_a_feature_is_what_the_tokenizer_gives_when_it_cuts_the_longer_text_first(
    tokenizer, text, text_pair, max_length
):
    [feature] = encode_texts((text, text_pair), tokenizer=tokenizer, max_length=max_length)
    expected = tokenizer([text], None if text_pair is None else [text_pair], truncation=True, max_length=max_length)
    types = [0] * len(feature["input_ids"]) if text_pair is None else expected["token_type_ids"][0]
    assert (feature["input_ids"], feature["token_type_ids"]) == (expected["input_ids"][0], types)


def test_single_texts_and_pairs_with_an_empty_text_can_stand_in_one_table(tokenizer):
    cls, sep, cat = tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", "cat"])
    assert encode_texts(("cat", None), ("cat", ""), tokenizer=tokenizer) == [
        {"row": 0, "input_ids": [cls, cat, sep], "token_type_ids": [0, 0, 0], "label": 1},
        {"row": 1, "input_ids": [cls, cat, sep, sep], "token_type_ids": [0, 0, 0, 1], "label": 1},
    ]


def test_collate_pads_to_the_longest_of_the_batch():
    batch = collate_texts(FEATURES, pad_token_id=6)
    assert {name: value.tolist() for name, value in batch.items()} == {
        "input_ids": [[2, 9, 3, 6, 6], [2, 9, 3, 8, 3]],
        "token_type_ids": [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]],
        "attention_mask": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
        "labels": [1, 0],
    }
    assert {value.dtype for value in batch.values()} == {torch.int64}


def test_collate_gives_scores_as_float32():
    batch = regression_model.collate([FEATURES[0] | {"label": 1.25, "teacher_logits": [0.5]}], pad_token_id=0)
    assert (batch["labels"].dtype, batch["labels"].tolist()) == (torch.float32, [1.25])
    assert batch["teacher_logits"].tolist() == [[0.5]]


def test_losses_of_scores_are_mean_squared_errors_to_the_gold_and_to_the_teachers():
    batch = {"labels": torch.tensor([1.0, -2.0]), "teacher_logits": torch.tensor([[3.0], [0.5]])}
    scores = torch.tensor([[2.0], [0.0]])
    assert regression_model.hard_loss(scores, batch).item() == (1.0 + 4.0) / 2
    assert regression_model.soft_loss(scores, batch, temperature=7.0).item() == (1.0 + 0.25) / 2


def test_decode_gives_the_best_label_or_the_score_in_the_rows_order_whatever_the_features_order():
    features, rows = [{"row": 1}, {"row": 0}], [{}, {}]
    logits = [np.array([0.1, 0.3, 0.2]), np.array([-1.0, -2.0, -3.0])]
    assert classification.decode(logits, features=features, rows=rows, labels=["x", "y", "z"]) == ["x", "y"]
    scores = [np.array([1.5], dtype=np.float32), np.array([-0.25], dtype=np.float32)]
    assert regression.decode(scores, features=features, rows=rows, labels=[]) == [-0.25, 1.5]


def test_losses_of_labels_are_binary_cross_entropies_worked_by_hand():
    logits = torch.tensor([[0.0, 2.0], [-1.0, 1.0]])
    batch = {"labels": torch.tensor([[1.0, 0.0], [float("nan")] * 2]), "teacher_logits": torch.zeros(2, 2)}
    softplus = [math.log1p(math.exp(x)) for x in (0.0, 2.0, -1.0, 1.0)]  # -log(1 - sigmoid(x)); less x: -log sigmoid(x)
    assert multilabel_model.hard_loss(logits, batch).item() == pytest.approx((softplus[0] + softplus[1]) / 2)
    halves = [y - x / 2 for x, y in zip((0.0, 2.0, -1.0, 1.0), softplus, strict=True)]
    assert multilabel_model.soft_loss(logits, batch, temperature=1.0).item() == pytest.approx(sum(halves) / 4)
    assert multilabel_model.counts(batch) == {"hard": 1, "soft": 2}


def test_a_label_is_predicted_above_its_threshold():
    features, rows = [{"row": 1}, {"row": 0}], [{}, {}]
    logits = [np.array([0.0, 3.0]), np.array([-1.0, 0.1])]
    options = {"features": features, "rows": rows, "labels": ["x", "y"], "threshold": 0.5}
    assert multilabel.decode(logits, thresholds={}, **options) == [["y"], ["y"]]
    assert multilabel.decode(logits, thresholds={"x": 0.2, "y": 0.6}, **options) == [["x"], ["x", "y"]]
    assert multilabel.results(logits, thresholds={}, **options)[0] == {
        "labels": ["y"], "scores": {"x": pytest.approx(0.2689414), "y": pytest.approx(0.5249792)}
    }  # fmt: skip


def test_a_threshold_of_no_label_is_refused():
    with pytest.raises(InputError, match="decoding.thresholds: expected labels of the task, x, y, got 'z'"):
        multilabel.decode([], features=[], rows=[], labels=["x", "y"], threshold=0.5, thresholds={"z": 0.1})


TAGS = ["O", "B-x", "I-x"]
SENTENCES = st.lists(
    st.tuples(st.sampled_from(["cat", "xylo", "a-b", "\u00e9t\u00e9", "two words"]), st.sampled_from(TAGS)),
    min_size=1,
    max_size=20,
)


def encode_words(rows: list[dict], tokenizer, *, max_length: int = 12) -> list[dict]:
    return ner.encode(rows, tokenizer=tokenizer.backend_tokenizer, max_length=max_length, labels=TAGS)


def one_hot(features: list[dict]) -> list[np.ndarray]:
    """Logits that say each position's own label, and at positions without one say B-x, which must not be read."""
    return [np.eye(3)[[1 if label == -100 else label for label in feature["label"]]] for feature in features]


def test_the_first_piece_of_a_word_carries_its_tag(tokenizer):
    (feature,) = encode_words([{"words": ["cat", "rex", "mat"], "tags": ["O", "B-x", "I-x"]}], tokenizer)
    assert tokenizer.convert_ids_to_tokens(feature["input_ids"]) == ["[CLS]", "cat", "r", "##e", "##x", "mat", "[SEP]"]
    assert feature["label"] == [-100, 0, 1, -100, -100, 2, -100]
    assert feature["word"] == [-1, 0, 1, -1, -1, 2, -1]
    assert feature["token_type_ids"] == [0] * 7


def test_a_word_that_tokenizes_to_nothing_is_predicted_O_shifts_no_other_and_alone_has_no_feature(tokenizer):
    rows = [{"words": ["\u200b"], "tags": ["B-x"]}, {"words": ["cat", "\u200b", "mat"], "tags": ["B-x", "B-x", "I-x"]}]
    features = encode_words(rows, tokenizer)
    assert [(feature["row"], feature["word"]) for feature in features] == [(1, [-1, 0, 2, -1])]
    tags = ner.decode(one_hot(features), features=features, rows=rows, labels=TAGS)
    assert tags == [["O"], ["B-x", "O", "I-x"]]


def test_a_long_sentence_is_cut_between_words(tokenizer):
    row = {"words": ["cat", "rex", "dog", "xylophone", "mat"], "tags": ["O"] * 5}
    features = encode_words([row], tokenizer, max_length=7)
    windows = [tokenizer.convert_ids_to_tokens(feature["input_ids"])[1:-1] for feature in features]
    assert windows == [["cat", "r", "##e", "##x", "dog"], ["x", "##y", "##l", "##o", "##p"], ["mat"]]


@settings(max_examples=60, deadline=None)
@given(sentences=st.lists(SENTENCES, min_size=1, max_size=3), max_length=st.integers(4, 20))
def test_decoding_the_gold_labels_gives_back_the_tags_of_every_word(tokenizer, sentences, max_length):
    rows = [{"words": [word for word, _ in sentence], "tags": [tag for _, tag in sentence]} for sentence in sentences]
    features = encode_words(rows, tokenizer, max_length=max_length)
    assert max(len(feature["input_ids"]) for feature in features) <= max_length
    tags = ner.decode(one_hot(features), features=features, rows=rows, labels=TAGS)
    assert tags == [row["tags"] for row in rows]


def test_collate_pads_labels_with_the_index_that_no_loss_counts():
    features = [
        {"input_ids": [2, 9, 3], "token_type_ids": [0] * 3, "label": [-100, 1, -100]},
        {"input_ids": [2, 3], "token_type_ids": [0] * 2, "label": [-100, -100]},
    ]
    assert collate_words(features, pad_token_id=0)["labels"].tolist() == [[-100, 1, -100], [-100, -100, -100]]


CONTEXT = "a b c d e f g h i j k l"


def question(*, answer: str | None, context: str = CONTEXT, question: str = "who") -> dict:
    answers = [] if answer is None else [{"text": answer, "start": context.index(answer)}]
    return {"question": question, "context": context, "answers": answers}


def encode_questions(rows: list[dict], tokenizer, *, max_length: int = 12, doc_stride: int = 3) -> list[dict]:
    backend = tokenizer.backend_tokenizer
    return qa.encode(rows, tokenizer=backend, max_length=max_length, labels=[], doc_stride=doc_stride)


def pointing(feature: dict, *, start: int, end: int, score: float = 1.0) -> np.ndarray:
    logits = np.zeros((len(feature["input_ids"]), 2))
    logits[start, 0] = logits[end, 1] = score
    return logits


def decode(logits, features, rows, *, max_answer_length: int = 5, unanswerable: bool = False) -> list[str]:
    options = {"max_answer_length": max_answer_length, "unanswerable": unanswerable}
    return qa.decode(logits, features=features, rows=rows, labels=[], **options)


def test_windows_are_doc_stride_apart_and_the_last_one_ends_with_the_context(tokenizer):
    features = encode_questions([question(answer=None)], tokenizer)
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
    features = encode_questions([question(answer=answer)], tokenizer)
    assert [(feature["start"], feature["end"]) for feature in features] == spans


def test_an_answer_inside_a_word_is_the_pieces_that_share_a_character_with_it(tokenizer):
    (feature,) = encode_questions([question(answer="yl", context="a xylo b")], tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(feature["input_ids"])
    assert tokens[feature["start"] : feature["end"] + 1] == ["##y", "##l"]


def test_a_long_question_is_cut_to_half_of_the_length(tokenizer):
    features = encode_questions([question(answer="l", question="q " * 50)], tokenizer)
    assert {len(feature["input_ids"]) for feature in features} == {12}
    assert {feature["context_start"] for feature in features} == {1 + 6 + 1}


def test_a_context_that_tokenizes_to_nothing_has_no_feature_and_no_answer(tokenizer):
    rows = [question(answer=None, context="\u200b"), question(answer="b")]
    features = encode_questions(rows, tokenizer)
    assert {feature["row"] for feature in features} == {1}
    logits = [pointing(feature, start=4, end=4) for feature in features]
    assert decode(logits, features, rows)[0] == ""


@pytest.mark.parametrize("max_length", [16, 17, 30])
def test_the_largest_doc_stride_that_is_accepted_is_the_largest_that_leaves_no_gap(tokenizer, max_length):
    long_row = question(answer=None, question="q " * 50, context="a " * 60)

    def accepted(doc_stride: int) -> bool:
        return not refusals(Encoding, {"max_length": max_length, "doc_stride": doc_stride})

    def whole(doc_stride: int) -> bool:
        windows = encode_questions([long_row], tokenizer, max_length=max_length, doc_stride=doc_stride)
        return len({begin for window in windows for begin, _ in window["offsets"].tolist()}) == 60

    strides = range(1, max_length)
    assert [accepted(stride) for stride in strides] == [whole(stride) for stride in strides]


@settings(max_examples=60, deadline=None)
@given(first=st.integers(0, 11), length=st.integers(1, 5), max_length=st.integers(16, 30))
def test_decoding_the_gold_positions_gives_back_the_answer(tokenizer, first, length, max_length):
    answer = CONTEXT[2 * first : 2 * (first + length) - 1]
    rows = [question(answer=answer), question(answer="c")]
    features = encode_questions(rows, tokenizer, max_length=max_length)
    logits = [
        pointing(feature, start=feature["start"], end=feature["end"], score=float(feature["start"] > 0))
        for feature in features
    ]
    assert decode(logits, features, rows) == [answer, "c"]


def test_the_answer_comes_from_the_window_where_its_score_is_highest_and_is_held_against_the_lowest_null(tokenizer):
    rows = [question(answer=None)]
    features = encode_questions(rows, tokenizer)
    logits = [
        pointing(feature, start=3, end=4, score=score) for feature, score in zip(features, [2, 3, 1], strict=True)
    ]
    assert decode(logits, features, rows) == ["d e"]
    for window, null_score in zip(logits, [9.0, 2.5, 9.0], strict=True):
        window[0] = null_score
    assert decode(logits, features, rows, unanswerable=True) == ["d e"]


def test_an_answer_is_spelt_as_the_context_spells_it(tokenizer):
    rows = [question(answer=None, context="The  CAT, sat.")]
    (feature,) = encode_questions(rows, tokenizer)
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
    rows = [question(answer=None, context="a b c")]
    (feature,) = encode_questions(rows, tokenizer)
    logits = pointing(feature, start=4, end=4)
    logits[0] = null_score
    assert decode([logits], [feature], rows, unanswerable=unanswerable) == [answer]
