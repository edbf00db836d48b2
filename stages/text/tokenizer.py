"""BERT's tokenizer as transformers has it: made from a vocabulary, written, and read back."""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from transformers import BertTokenizer

from stages.pipeline.errors import InputError
from stages.pipeline.json_file import read_object
from stages.pipeline.trouble import explain

# What transformers keeps of how a tokenizer was loaded, and of truncation and padding that were switched on in its
# file. It would save them.
PASSING_OPTIONS = (
    *("is_local", "local_files_only", "name_or_path"),
    *("max_length", "stride", "truncation_strategy", "pad_to_multiple_of"),
)

SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""Files beside the vocabulary that transformers follows, where they are there."""


def build_tokenizer(vocabulary: Sequence[str], *, lowercase: bool, max_length: int) -> BertTokenizer:
    """A BERT tokenizer over `vocabulary` (an entry's id is its place), for models of `max_length` positions."""
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    assert len(ids) == len(vocabulary), "a vocabulary lists each piece once"
    return BertTokenizer(vocab=ids, do_lower_case=lowercase, model_max_length=max_length)


def save_tokenizer(tokenizer: BertTokenizer, *, folder: Path) -> None:
    """Write the tokenizer into `folder`: what transformers and tokenizers read, and vocab.txt for older tools."""
    _switch_off_cutting(tokenizer)  # whoever used it may have switched it on
    tokenizer.save_pretrained(folder)
    ids = tokenizer.get_vocab()
    lines = "".join(piece + "\n" for piece in sorted(ids, key=ids.__getitem__))
    (folder / "vocab.txt").write_text(lines, encoding="utf-8", newline="\n")


def load_tokenizer(folder: Path) -> BertTokenizer:
    """The BERT tokenizer in `folder`, for which "[MASK]" and the like in a text are plain text, as the text has it.

    Raises InputError where there is none, where one of its files is broken, where it is of another kind, where one of
    BERT's special tokens or an id is missing, or where its two descriptions (tokenizer_config.json, which transformers
    follows, and tokenizer.json) differ.
    """
    described = _describe(folder)
    tokenizer = _load(folder)
    _check_special_tokens(tokenizer, folder=folder)
    _check_ids(tokenizer, folder=folder)
    used = json.loads(tokenizer.backend_tokenizer.to_str())["normalizer"]
    if described and described["normalizer"] != used:
        raise InputError(
            f"{folder}: tokenizer.json normalises text by {described['normalizer']}, but its tokenizer_config.json "
            f"makes transformers use {used}; which of them the model was trained with cannot be told"
        )
    for option in PASSING_OPTIONS:
        tokenizer.init_kwargs.pop(option, None)
    _switch_off_cutting(tokenizer)
    tokenizer.split_special_tokens = True  # transformers sets the backend to this with every call
    tokenizer.backend_tokenizer.encode_special_tokens = True
    return tokenizer


def _switch_off_cutting(tokenizer: BertTokenizer) -> None:
    """A tokenizer's file may say that every text is to be truncated or padded; ours never does."""
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()


def special_id(tokenizer: BertTokenizer, name: str) -> int:
    """The id of the special token `name`: "pad", "cls", "sep" or "mask"."""
    found = getattr(tokenizer, f"{name}_token_id")
    assert isinstance(found, int), (name, found)
    return found


def _describe(folder: Path) -> dict | None:
    """What tokenizer.json says, or None where there is only a vocab.txt."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        if (folder / "vocab.txt").is_file():
            return None
        raise InputError(f"{folder} holds no BERT tokenizer: neither tokenizer.json nor vocab.txt is there")
    try:
        Tokenizer.from_file(str(path))
        described = json.loads(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises nothing narrower than Exception
        raise InputError(f"{path} cannot be read as a tokenizer: {error}") from error
    kind = described["model"].get("type", "unnamed")
    if kind != "WordPiece":
        raise InputError(f"{path} is a {kind} tokenizer; only BERT's WordPiece works here")
    return described


def _load(folder: Path) -> BertTokenizer:
    for path in (folder / name for name in SETTINGS if (folder / name).is_file()):
        read_object(path)  # names the file, which transformers does not
    try:
        return BertTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever transformers stumbles over here, it is in these files
        if explain(error):
            raise
        raise InputError(f"{_followed(folder)} cannot be read as a tokenizer: {error}") from error


def _followed(folder: Path) -> str:
    """The files that transformers makes a tokenizer of."""
    words = "tokenizer.json" if (folder / "tokenizer.json").is_file() else "vocab.txt"
    return " with ".join([f"{folder}/{words}", *(name for name in SETTINGS if (folder / name).is_file())])


def _check_special_tokens(tokenizer: BertTokenizer, *, folder: Path) -> None:
    tokens = (tokenizer.pad_token, tokenizer.unk_token, tokenizer.cls_token, tokenizer.sep_token, tokenizer.mask_token)
    vocabulary = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["vocab"]
    missing = [str(token) for token in tokens if token not in vocabulary]
    if missing:
        raise InputError(f"{folder}: its vocabulary lacks {', '.join(missing)}, which BERT needs")


def _check_ids(tokenizer: BertTokenizer, *, folder: Path) -> None:
    """vocab.txt can only give ids that follow one another."""
    ids = set(tokenizer.get_vocab().values())
    if missing := set(range(max(ids))) - ids:
        raise InputError(f"{folder}: its vocabulary goes up to id {max(ids)}, but no piece has id {min(missing)}")
