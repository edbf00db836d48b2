"""Augmented texts differ from theirs in whole words that the MLM head finds probable, and in nothing else."""

import string
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForPreTraining, BertTokenizer

from tests.tiny_bert import CONFIG
from tinybert.data import length_batches
from tinybert.data.tokenizer import build_tokenizer
from tinybert.distillation.augmentation import augment
from tinybert.errors import InputError
from tinybert.model.checkpoint import RANDOM_MLM_HEAD

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [f"{letter}x" for letter in string.ascii_lowercase]
PIECES = [*SPECIAL, *WORDS, "un", "##known", "##s", ",", "!"]
TEXT = "Ax bx, unknown CX zzz dx ! ex"
"""Five words of one piece; "unknown" has two, "zzz" has none of its own."""
OPTIONS: dict[str, Any] = {"copies": 3, "probability": 0.5, "candidates": 4, "seed": 1, "max_length": 20}


@pytest.fixture
def tokenizer() -> BertTokenizer:
    return build_tokenizer(PIECES, lowercase=True, max_length=40)


@pytest.fixture
def model() -> BertForPreTraining:
    """Its vocabulary has entries that the tokenizer has not."""
    torch.manual_seed(2)
    return BertForPreTraining(BertConfig.from_dict(CONFIG | {"vocab_size": len(PIECES) + 8})).eval()


def augmented(texts: list[Any], model: BertForPreTraining, tokenizer: BertTokenizer, **changed: Any) -> list[list[Any]]:
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    return augment(texts, model, tokenizer=tokenizer, accelerator=accelerator, **OPTIONS | changed)


def test_every_whole_word_is_replaced_with_probability_one_and_the_rest_of_the_text_stays(
    model: BertForPreTraining, tokenizer: BertTokenizer
):
    (variants,) = augmented([TEXT], model, tokenizer, probability=1.0)
    for variant in variants:
        a, b, c, d, e = (variant[place : place + 2] for place in (0, 3, 15, 22, 27))
        assert variant == f"{a} {b}, unknown {c} zzz {d} ! {e}"
        assert all(new in {*WORDS, "un"} for new in (a, b, c, d, e))
        assert "ax" != a and "bx" != b and "cx" != c and "dx" != d and "ex" != e
    assert len(set(variants)) == 3


def test_words_of_a_list_stay_as_many(model: BertForPreTraining, tokenizer: BertTokenizer):
    words = ["Ax", "bx,", "unknown", "CX", "!", "dx"]
    (variants,) = augmented([words], model, tokenizer, probability=1.0)
    for variant in variants:
        assert [variant[n] for n in (1, 2, 4)] == ["bx,", "unknown", "!"]
        assert len(variant) == 6 and not {variant[n].lower() for n in (0, 3, 5)} & {"unknown", "bx,"}
        assert [variant[n] != words[n].lower() for n in (0, 3, 5)] == [True] * 3


def test_the_candidates_are_the_most_probable_whole_words_where_the_word_is_masked(
    model: BertForPreTraining, tokenizer: BertTokenizer
):
    """With one word in the text, its variants are what the model gives for [CLS] [MASK] [SEP]."""
    with torch.inference_mode():
        logits_V = model(input_ids=torch.tensor([[2, 4, 3]])).prediction_logits[0, 1]
    order = tokenizer.convert_ids_to_tokens(logits_V[: len(PIECES)].argsort(descending=True).tolist())
    allowed = [piece for piece in order if piece in {*WORDS, "un"} - {"kx"}]
    (variants,) = augmented(["kx"], model, tokenizer, probability=1.0, copies=60)
    assert set(variants) == set(allowed[:4])


def test_few_candidates_are_enough(model: BertForPreTraining, tokenizer: BertTokenizer):
    (variants,) = augmented(["kx"], model, tokenizer, probability=1.0, copies=400, candidates=1000)
    assert set(variants) == {*WORDS, "un"} - {"kx"}


def test_about_as_many_words_are_replaced_as_the_probability_says(model: BertForPreTraining, tokenizer: BertTokenizer):
    texts = [" ".join(WORDS[n : n + 12]) for n in range(12)]
    variants = augmented(texts, model, tokenizer, probability=0.3, copies=20)
    pairs = [(a, b) for text, own in zip(texts, variants, strict=True)
             for one in own for a, b in zip(text.split(), one.split(), strict=True)]  # fmt: skip
    assert 0.26 < sum(a != b for a, b in pairs) / len(pairs) < 0.34


def test_a_variant_is_a_function_of_seed_index_and_copy(
    model: BertForPreTraining, tokenizer: BertTokenizer, monkeypatch: pytest.MonkeyPatch
):
    texts = [TEXT, ["dx", "ex"], "fx gx hx", "!", ""]
    variants = augmented(texts, model, tokenizer)
    assert augmented(texts, model, tokenizer, seed=2) != variants
    assert [own[:2] for own in variants] == augmented(texts, model, tokenizer, copies=2)
    assert augmented(texts[:2], model, tokenizer) == variants[:2]
    monkeypatch.setattr(length_batches, "TOKENS", 1)
    assert augmented(texts, model, tokenizer) == variants
    assert variants[3:] == [["!"] * 3, [""] * 3]


def test_what_follows_the_length_stays(model: BertForPreTraining, tokenizer: BertTokenizer):
    text = " ".join(WORDS)
    (variants,) = augmented([text], model, tokenizer, probability=1.0, max_length=12)
    for variant in variants:
        assert variant.split()[10:] == WORDS[10:]
        assert all(a != b for a, b in zip(variant.split()[:10], WORDS, strict=False))


def test_a_teacher_without_an_mlm_head_is_refused(model: BertForPreTraining, tokenizer: BertTokenizer):
    vars(model)[RANDOM_MLM_HEAD] = True
    with pytest.raises(InputError, match="expected augmentation.copies of 0, got 3: .* has no MLM head"):
        augmented([TEXT], model, tokenizer)
