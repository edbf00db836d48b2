import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.tasks.ner import model as ner

LABELS = ["O", "B-x", "I-x"]
SENTENCES = st.lists(
    st.tuples(st.sampled_from(["cat", "xylo", "a-b", "\u00e9t\u00e9", "two words"]), st.sampled_from(LABELS)),
    min_size=1,
    max_size=20,
)


def encode(rows: list[dict], tokenizer, *, max_length: int = 12) -> list[dict]:
    return ner.encode(rows, tokenizer=tokenizer, max_length=max_length, labels=LABELS)


def one_hot(features: list[dict]) -> list[np.ndarray]:
    """Logits that say each position's own label, and at positions without one say B-x, which must not be read."""
    return [np.eye(3)[[1 if label == -100 else label for label in feature["label"]]] for feature in features]


def test_the_first_piece_of_a_word_carries_its_tag(tokenizer):
    (feature,) = encode([{"words": ["cat", "rex", "mat"], "tags": ["O", "B-x", "I-x"]}], tokenizer)
    assert tokenizer.convert_ids_to_tokens(feature["input_ids"]) == ["[CLS]", "cat", "r", "##e", "##x", "mat", "[SEP]"]
    assert feature["label"] == [-100, 0, 1, -100, -100, 2, -100]
    assert feature["word"] == [-1, 0, 1, -1, -1, 2, -1]
    assert feature["token_type_ids"] == [0] * 7


def test_a_word_that_tokenizes_to_nothing_is_predicted_O_shifts_no_other_and_alone_has_no_feature(tokenizer):
    rows = [{"words": ["\u200b"], "tags": ["B-x"]}, {"words": ["cat", "\u200b", "mat"], "tags": ["B-x", "B-x", "I-x"]}]
    features = encode(rows, tokenizer)
    assert [(feature["row"], feature["word"]) for feature in features] == [(1, [-1, 0, 2, -1])]
    tags = ner.decode(one_hot(features), features=features, rows=rows, labels=LABELS)
    assert tags == [["O"], ["B-x", "O", "I-x"]]


def test_a_long_sentence_is_cut_between_words(tokenizer):
    row = {"words": ["cat", "rex", "dog", "xylophone", "mat"], "tags": ["O"] * 5}
    features = encode([row], tokenizer, max_length=7)
    windows = [tokenizer.convert_ids_to_tokens(feature["input_ids"])[1:-1] for feature in features]
    assert windows == [["cat", "r", "##e", "##x", "dog"], ["x", "##y", "##l", "##o", "##p"], ["mat"]]


@settings(max_examples=60, deadline=None)
@given(sentences=st.lists(SENTENCES, min_size=1, max_size=3), max_length=st.integers(4, 20))
def test_decoding_the_gold_labels_gives_back_the_tags_of_every_word(tokenizer, sentences, max_length):
    rows = [{"words": [word for word, _ in sentence], "tags": [tag for _, tag in sentence]} for sentence in sentences]
    features = encode(rows, tokenizer, max_length=max_length)
    assert max(len(feature["input_ids"]) for feature in features) <= max_length
    tags = ner.decode(one_hot(features), features=features, rows=rows, labels=LABELS)
    assert tags == [row["tags"] for row in rows]


def test_collate_pads_labels_with_the_index_that_no_loss_counts():
    features = [
        {"input_ids": [2, 9, 3], "token_type_ids": [0] * 3, "label": [-100, 1, -100]},
        {"input_ids": [2, 3], "token_type_ids": [0] * 2, "label": [-100, -100]},
    ]
    assert ner.collate(features, pad_token_id=0)["labels"].tolist() == [[-100, 1, -100], [-100, -100, -100]]
