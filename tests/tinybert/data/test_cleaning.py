"""Cleaning against the plain description of it, and the properties that duplicates and the split rest on."""

import math
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinybert.data.cleaning import clean, fingerprint, is_heldout

ANY_TEXT = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(" \t\n\r\x0b\x0c\x1c\x85\xa0\u2028\u200b\u00ad\ufeff\ufffd\x00ae\u0301\u0327\u3000"),
    )
)


def anything(test):
    return settings(max_examples=500, derandomize=True, database=None)(given(ANY_TEXT)(test))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("plain text.", "plain text."),
        ("  two  \t spaces\xa0and\u3000wide ", "two spaces and wide"),
        ("one\r\ntwo\rthree\n\n\n  \nfour\x0cfive\u2029six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("soft\u00adhyphen zero\u200bwidth \ufeffmark \x00null bad\ufffd", "softhyphen zerowidth mark null bad"),
        ("\u202eleft\u202c \u2066x\u2069 \ue000 \U000f0000", "left x"),
        ("lone \ud800surrogate", "lone surrogate"),
        ("e\u0301 e\u200b\u0301 \u212b", "\u00e9 \u00e9 \u00c5"),
        ("\u200b \n \u200b", ""),
        ("\u5317\u4eac \U0001f600 \u0915\u094d\u0937", "\u5317\u4eac \U0001f600 \u0915\u094d\u0937"),
    ],
)
def test_cleaning_worked_by_hand(text, cleaned):
    assert clean(text) == cleaned


@anything
def test_a_cleaned_text_is_in_normal_form_and_stays_as_it_is(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(character) in ("Cf", "Co", "Cs") for character in cleaned)
    assert all(character == "\n" or unicodedata.category(character) != "Cc" for character in cleaned)
    assert all(line and line == " ".join(line.split()) for line in cleaned.split("\n") if cleaned)


@anything
def test_cleaning_keeps_every_letter_and_digit_in_order(text):
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFC", clean(text))))
    visible = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Co", "Cs", "Cc") and c != "\ufffd")
    assert "".join(filter(str.isalnum, clean(visible))) == letters


@anything
def test_the_fingerprint_is_that_of_the_case_folded_letters_and_digits_alone(text):
    letters = "".join(filter(str.isalnum, text.casefold()))
    assert fingerprint(text) == fingerprint(letters)
    assert fingerprint(text) == fingerprint(" - ".join(letters))


def test_fingerprints_tell_texts_apart_and_never_change():
    assert fingerprint("A b, C! \u2013 \u00e9\u00df") == fingerprint("abc\u00c9SS")
    assert fingerprint("abc") != fingerprint("abd") != fingerprint("ab c d")
    assert fingerprint("abc").hex() == "48b4f1f9042a2d5033b382b5"


def test_the_heldout_share_is_the_fraction_grows_with_it_and_has_all_duplicates():
    texts = [f"document {number}" for number in range(20_000)]
    for fraction in (0.01, 0.05, 0.5):
        heldout = {text for text in texts if is_heldout(text, fraction=fraction)}
        spread = math.sqrt(fraction * (1 - fraction) * len(texts))
        assert abs(len(heldout) - fraction * len(texts)) < 4 * spread
        assert heldout <= {text for text in texts if is_heldout(text, fraction=fraction + 0.1)}
        assert heldout == {text for text in texts if is_heldout(f"({text.upper()}\n)", fraction=fraction)}
    assert not any(is_heldout(text, fraction=0.0) for text in texts)
    assert all(is_heldout(text, fraction=1.0) for text in texts)
