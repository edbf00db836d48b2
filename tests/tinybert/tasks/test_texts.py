"""Classification and regression: kinds with one label for a text or a pair of texts."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.tasks.classification import model as classification
from tinybert.tasks.regression import model as regression

WORDS = st.lists(st.sampled_from(["cat", "mat", "xylo", "dog", "q", "?", "\u200b"]), max_size=12).map(" ".join)
FEATURES = [
    {"row": 0, "input_ids": [2, 9, 3], "token_type_ids": [0, 0, 0], "label": 1},
    {"row": 1, "input_ids": [2, 9, 3, 8, 3], "token_type_ids": [0, 0, 0, 1, 1], "label": 0},
]


def encode(*texts: tuple[str, str | None], tokenizer, max_length: int = 9) -> list[dict]:
    rows = [{"text": text, "text_pair": text_pair, "label": "b"} for text, text_pair in texts]
    return classification.encode(rows, tokenizer=tokenizer, max_length=max_length, labels=["a", "b"])


@settings(max_examples=60, deadline=None)
@given(text=WORDS, text_pair=st.none() | WORDS, max_length=st.integers(7, 24))
def test_a_feature_is_what_the_tokenizer_gives_when_it_cuts_the_longer_text_first(
    tokenizer, text, text_pair, max_length
):
    [feature] = encode((text, text_pair), tokenizer=tokenizer, max_length=max_length)
    expected = tokenizer([text], None if text_pair is None else [text_pair], truncation=True, max_length=max_length)
    types = [0] * len(feature["input_ids"]) if text_pair is None else expected["token_type_ids"][0]
    assert (feature["input_ids"], feature["token_type_ids"]) == (expected["input_ids"][0], types)


def test_single_texts_and_pairs_with_an_empty_text_can_stand_in_one_table(tokenizer):
    cls, sep, cat = tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", "cat"])
    assert encode(("cat", None), ("cat", ""), tokenizer=tokenizer) == [
        {"row": 0, "input_ids": [cls, cat, sep], "token_type_ids": [0, 0, 0], "label": 1},
        {"row": 1, "input_ids": [cls, cat, sep, sep], "token_type_ids": [0, 0, 0, 1], "label": 1},
    ]


def test_collate_pads_to_the_longest_of_the_batch():
    batch = classification.collate(FEATURES, pad_token_id=6)
    assert {name: value.tolist() for name, value in batch.items()} == {
        "input_ids": [[2, 9, 3, 6, 6], [2, 9, 3, 8, 3]],
        "token_type_ids": [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]],
        "attention_mask": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
        "labels": [1, 0],
    }
    assert {value.dtype for value in batch.values()} == {torch.int64}


def test_collate_gives_scores_as_float32():
    batch = regression.collate([FEATURES[0] | {"label": 1.25, "teacher_logits": [0.5]}], pad_token_id=0)
    assert (batch["labels"].dtype, batch["labels"].tolist()) == (torch.float32, [1.25])
    assert batch["teacher_logits"].tolist() == [[0.5]]


def test_losses_of_scores_are_mean_squared_errors_to_the_gold_and_to_the_teachers():
    batch = {"labels": torch.tensor([1.0, -2.0]), "teacher_logits": torch.tensor([[3.0], [0.5]])}
    scores = torch.tensor([[2.0], [0.0]])
    assert regression.hard_loss(scores, batch).item() == (1.0 + 4.0) / 2
    assert regression.soft_loss(scores, batch, temperature=7.0).item() == (1.0 + 0.25) / 2


def test_decode_gives_the_best_label_or_the_score_in_the_rows_order_whatever_the_features_order():
    features, rows = [{"row": 1}, {"row": 0}], [{}, {}]
    logits = [np.array([0.1, 0.3, 0.2]), np.array([-1.0, -2.0, -3.0])]
    assert classification.decode(logits, features=features, rows=rows, labels=["x", "y", "z"]) == ["x", "y"]
    scores = [np.array([1.5], dtype=np.float32), np.array([-0.25], dtype=np.float32)]
    assert regression.decode(scores, features=features, rows=rows, labels=[]) == [-0.25, 1.5]
