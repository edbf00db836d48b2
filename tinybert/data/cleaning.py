"""Text normalization, and a fingerprint per document: it finds duplicates and draws the held-out documents."""

import hashlib
import re
import unicodedata

KEY_BYTES = 12

# Characters that no reader sees and BERT drops: controls other than white space, soft hyphens, zero-width and direction
# marks, surrogates, private characters, byte order marks, and the character that replaces undecodable bytes.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff\ufff0-\uffff\U000110bd\U000110cd\U00013430-\U00013438"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]+"
)
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_ASCII_MARKS = bytes(code for code in range(128) if not chr(code).isalnum())


def clean(text: str) -> str:
    """The text in NFC without invisible characters, with one space between words and one line end between lines.

    Lines without a word are dropped, and with them the white space at both ends. Cleaning twice changes nothing.
    """
    lines = _collapse_spaces(text)
    # Most texts have nothing to remove, and this test is far faster than the pattern.
    if "\ufffd" in text or not all(map(str.isprintable, lines)):
        lines = _collapse_spaces(_INVISIBLE.sub("", text))
    return unicodedata.normalize("NFC", "\n".join(line for line in lines if line))


def _collapse_spaces(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def fingerprint(text: str) -> bytes:
    """A key of `KEY_BYTES` bytes, the same for texts that differ in case, punctuation and white space only.

    It is a hash (BLAKE2b) of the case-folded letters and digits; texts without any have one key in common.
    """
    folded = text.casefold()
    if not folded.isascii():
        for character in set(_NOT_ASCII.findall(folded)):
            if not character.isalnum():
                folded = folded.replace(character, "")
    letters = folded.encode("utf-8", "surrogatepass").translate(None, _ASCII_MARKS)
    return hashlib.blake2b(letters, digest_size=KEY_BYTES).digest()


def is_heldout(text: str, *, fraction: float) -> bool:
    """Whether this document belongs to the held-out `fraction`, decided by its fingerprint alone."""
    return int.from_bytes(fingerprint(text), "big") < fraction * 2 ** (8 * KEY_BYTES)
