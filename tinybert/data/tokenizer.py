"""BERT's tokenizer of transformers: built from a vocabulary, saved, and loaded with its files validated."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import BertTokenizer

from tinybert.errors import InputError, explain
from tinybert.files import read_object

# What transformers keeps of how a tokenizer was loaded, and of truncation and padding in its file. It would save them.
TRANSIENT_OPTIONS = "is_local local_files_only name_or_path max_length stride truncation_strategy pad_to_multiple_of"
# Optional files beside the vocabulary that transformers follows.
SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def build_tokenizer(vocabulary: Sequence[str], *, lowercase: bool, max_length: int) -> BertTokenizer:
    """A BERT tokenizer over `vocabulary` (an entry's id is its index), for models of `max_length` positions."""
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    assert len(ids) == len(vocabulary), "a vocabulary lists each piece once"
    return BertTokenizer(vocab=ids, do_lower_case=lowercase, model_max_length=max_length)


def save_tokenizer(tokenizer: BertTokenizer, *, folder: Path) -> None:
    """Write the tokenizer into `folder`: what transformers and tokenizers read, and vocab.txt for older tools."""
    _disable_truncation_and_padding(tokenizer)  # calls of the tokenizer may have enabled them
    tokenizer.save_pretrained(folder)
    ids = tokenizer.get_vocab()
    lines = "".join(piece + "\n" for piece in sorted(ids, key=ids.__getitem__))
    (folder / "vocab.txt").write_text(lines, encoding="utf-8", newline="\n")


def load_tokenizer(folder: Path) -> BertTokenizer:
    """The BERT tokenizer in `folder`, which reads "[MASK]" and the like in a text as plain text.

    Raises InputError where there is none, where one of its files is broken, where it is of another kind, where one of
    BERT's special tokens or an id is missing, or where its two descriptions (tokenizer_config.json, which transformers
    follows, and tokenizer.json) differ.
    """
    description = _read_description(folder)
    tokenizer = _load(folder)
    used = json.loads(tokenizer.backend_tokenizer.to_str())
    _check_vocabulary(tokenizer, used["model"]["vocab"], folder=folder)
    if description and description["normalizer"] != used["normalizer"]:
        raise InputError(
            f"{folder}: tokenizer.json normalises text by {description['normalizer']}, but its tokenizer_config.json "
            f"makes transformers use {used['normalizer']}; which of them the model was trained with cannot be told"
        )
    for option in TRANSIENT_OPTIONS.split():
        tokenizer.init_kwargs.pop(option, None)
    _disable_truncation_and_padding(tokenizer)
    tokenizer.split_special_tokens = True  # transformers sets the backend to this with every call
    tokenizer.backend_tokenizer.encode_special_tokens = True
    return tokenizer


def _disable_truncation_and_padding(tokenizer: BertTokenizer) -> None:
    """A tokenizer's file may enable both for every text; ours never does."""
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()


def special_id(tokenizer: BertTokenizer, name: str) -> int:
    """The id of the special token `name`: "pad", "cls", "sep" or "mask"."""
    token_id = getattr(tokenizer, f"{name}_token_id")
    assert isinstance(token_id, int), (name, token_id)
    return token_id


def _read_description(folder: Path) -> dict[str, Any] | None:
    """The content of tokenizer.json, or None where there is only a vocab.txt."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        if (folder / "vocab.txt").is_file():
            return None
        raise InputError(f"{folder} holds no BERT tokenizer: neither tokenizer.json nor vocab.txt is there")
    with _as_input_error(str(path)):
        Tokenizer.from_file(str(path))
        description = json.loads(path.read_text(encoding="utf-8"))
    kind = description["model"].get("type", "unnamed")
    if kind != "WordPiece":
        raise InputError(f"{path} is a {kind} tokenizer; expected BERT's WordPiece")
    return description


def _load(folder: Path) -> BertTokenizer:
    for path in (folder / name for name in SETTINGS if (folder / name).is_file()):
        read_object(path)  # names the file, which transformers does not
    words = "tokenizer.json" if (folder / "tokenizer.json").is_file() else "vocab.txt"
    names = [f"{folder}/{words}", *(name for name in SETTINGS if (folder / name).is_file())]
    with _as_input_error(" with ".join(names)):
        return BertTokenizer.from_pretrained(folder, local_files_only=True)


@contextmanager
def _as_input_error(files: str) -> Iterator[None]:
    """What tokenizers and transformers raise for a broken file is of any kind; it becomes an InputError."""
    try:
        yield
    except Exception as error:
        if explain(error):
            raise
        raise InputError(f"{files} cannot be read as a tokenizer: {error}") from error


def _check_vocabulary(tokenizer: BertTokenizer, vocabulary: dict[str, int], *, folder: Path) -> None:
    """Raise InputError unless all special tokens are there and ids follow one another, as in a vocab.txt."""
    tokens = (tokenizer.pad_token, tokenizer.unk_token, tokenizer.cls_token, tokenizer.sep_token, tokenizer.mask_token)
    if lacking := [str(token) for token in tokens if token not in vocabulary]:
        raise InputError(f"{folder}: its vocabulary lacks {', '.join(lacking)}, which BERT needs")
    ids = set(tokenizer.get_vocab().values())
    if missing := set(range(max(ids))) - ids:
        raise InputError(f"{folder}: its vocabulary goes up to id {max(ids)}, but no piece has id {min(missing)}")
