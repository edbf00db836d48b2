import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.tasks.classification import model as classification

WORDS = st.lists(st.sampled_from(["cat", "mat", "xylo", "dog", "q", "?", "\u200b"]), max_size=12).map(" ".join)


def encode(text: str, text_pair: str | None, tokenizer, *, max_length: int) -> dict:
    rows = [{"text": text, "text_pair": text_pair, "label": "b"}]
    (feature,) = classification.encode(rows, tokenizer=tokenizer, max_length=max_length, labels=["a", "b"])
    return feature


@settings(max_examples=60, deadline=None)
@given(text=WORDS, text_pair=st.none() | WORDS, max_length=st.integers(7, 24))
def test_a_feature_is_what_the_tokenizer_gives_when_it_cuts_the_longer_text_first(
    tokenizer, text, text_pair, max_length
):
    feature = encode(text, text_pair, tokenizer, max_length=max_length)
    expected = tokenizer([text], None if text_pair is None else [text_pair], truncation=True, max_length=max_length)
    types = [0] * len(feature["input_ids"]) if text_pair is None else expected["token_type_ids"][0]
    assert (feature["input_ids"], feature["token_type_ids"]) == (expected["input_ids"][0], types)


def test_an_empty_second_text_is_a_pair_with_nothing_between_its_separators(tokenizer):
    cls, sep, cat = tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", "cat"])
    feature = encode("cat", "", tokenizer, max_length=9)
    assert feature == {"row": 0, "input_ids": [cls, cat, sep, sep], "token_type_ids": [0, 0, 0, 1], "label": 1}


def test_single_texts_and_pairs_can_stand_in_one_table(tokenizer):
    rows = [{"text": "cat", "text_pair": pair, "label": "a"} for pair in (None, "mat")]
    single, pair = classification.encode(rows, tokenizer=tokenizer, max_length=9, labels=["a"])
    assert single["token_type_ids"] == [0, 0, 0]
    assert pair["token_type_ids"] == [0, 0, 0, 1, 1]


def test_collate_pads_to_the_longest_of_the_batch():
    features = [
        {"row": 0, "input_ids": [2, 9, 3], "token_type_ids": [0, 0, 0], "label": 1},
        {"row": 1, "input_ids": [2, 9, 3, 8, 3], "token_type_ids": [0, 0, 0, 1, 1], "label": 0},
    ]
    batch = classification.collate(features, pad_token_id=6)
    assert {name: value.tolist() for name, value in batch.items()} == {
        "input_ids": [[2, 9, 3, 6, 6], [2, 9, 3, 8, 3]],
        "token_type_ids": [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]],
        "attention_mask": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
        "labels": [1, 0],
    }
    assert {value.dtype for value in batch.values()} == {torch.int64}


def test_decode_gives_the_best_label_in_the_rows_order_whatever_the_features_order():
    logits = [np.array([0.1, 0.3, 0.2]), np.array([-1.0, -2.0, -3.0])]
    features = [{"row": 1}, {"row": 0}]
    assert classification.decode(logits, features=features, rows=[{}, {}], labels=["x", "y", "z"]) == ["x", "y"]
