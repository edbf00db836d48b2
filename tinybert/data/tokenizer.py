"""BERT's tokenizer of transformers: built from a vocabulary, saved, and loaded with its files validated."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import BertTokenizer

from tinybert.data.wordpiece import CONTINUES
from tinybert.errors import InputError, explain, shorten
from tinybert.files import read_object

# What transformers keeps of how a tokenizer was loaded, and of truncation and padding in its file. It would save them.
TRANSIENT_OPTIONS = "is_local local_files_only name_or_path max_length stride truncation_strategy pad_to_multiple_of"
# Optional files beside the vocabulary that transformers follows.
SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
CLASSES = (
    *(f"{name}Tokenizer{fast}" for name in ("Bert", "DistilBert", "Electra", "PreTrained") for fast in ("", "Fast")),
    *("TokenizersBackend", None),
)
"""Classes that have BERT's rules, or those of tokenizer.json, which is compared with them."""
FIXED = {"do_basic_tokenize": True, "never_split": [], "wordpieces_prefix": CONTINUES, "split_special_tokens": False}
"""Options of older tokenizers, which BertTokenizer does not have, and the values that it is made for."""
NORMALIZER = {
    "do_lower_case": "lowercase", "strip_accents": "strip_accents", "tokenize_chinese_chars": "handle_chinese_chars",
}  # fmt: skip
"""Options of BertTokenizer by the names that tokenizer.json has for them."""
CAPITALS = 0.01


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
    """The BERT tokenizer in `folder`, as its files say: one that `AutoTokenizer` and `tokenizers` load alike.

    All of them read a special token that is spelt in a text, such as "[SEP]", as that token, and so does a model made
    here, in training and in use. Where tokenizer_config.json does not say whether text is lower-cased, tokenizer.json
    does, or the vocabulary: one with capitals is not. Raises InputError where there is none, where a file is broken,
    where it is of another kind or of settings that BertTokenizer has not, where one of BERT's special tokens or an id
    is missing, or where two files contradict each other.
    """
    description, settings = _read_description(folder), _read_settings(folder)
    _refuse_other_kinds(folder, settings)
    tokenizer = _load(folder, _normalization(folder, description, settings))
    used = json.loads(tokenizer.backend_tokenizer.to_str())
    _check_vocabulary(tokenizer, used["model"]["vocab"], folder=folder)
    if description:
        _refuse_differences(description, used, folder)
    if used["normalizer"]["lowercase"] and is_cased(used["model"]["vocab"]):
        raise InputError(
            f"{folder}: its files lower-case text (do_lower_case), but its vocabulary has words in capitals, which "
            "would never be used"
        )
    for option in TRANSIENT_OPTIONS.split():
        tokenizer.init_kwargs.pop(option, None)
    _disable_truncation_and_padding(tokenizer)
    return tokenizer


def limit_length(tokenizer: BertTokenizer, positions: int) -> None:
    """Give the tokenizer the `positions` of its model as the limit of truncation, where it has none or a larger one."""
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)


def is_cased(vocabulary: Iterable[str]) -> bool:
    """Whether a vocabulary is of text with capitals: lower-casing changes more than a hundredth of its pieces.

    Names in brackets, such as [PAD], do not count.
    """
    pieces = [piece for piece in vocabulary if not (piece.startswith("[") and piece.endswith("]"))]
    return sum(piece != piece.lower() for piece in pieces) > len(pieces) * CAPITALS


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


def _read_settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, with the class that config.json names where the other names none."""
    read = {name: read_object(folder / name) for name in (*SETTINGS, "config.json") if (folder / name).is_file()}
    named = read.get("config.json", {}).get("tokenizer_class")
    return {"tokenizer_class": named} | read.get(SETTINGS[0], {})


def _refuse_other_kinds(folder: Path, settings: dict[str, Any]) -> None:
    """Raise InputError for a class, or a setting, whose ids BertTokenizer would not give."""
    if settings["tokenizer_class"] not in CLASSES:
        raise InputError(
            f"{folder}: its tokenizer is a {settings['tokenizer_class']}, expected BertTokenizer: one with BERT's rules"
        )
    for name, value in FIXED.items():
        if settings.get(name, value) not in (value, None):
            raise InputError(f"{folder}/tokenizer_config.json: {name} is {settings[name]!r}, expected {value!r}")


def _normalization(folder: Path, description: dict[str, Any] | None, settings: dict[str, Any]) -> dict[str, Any]:
    """What tokenizer_config.json leaves open of BertTokenizer's options."""
    if description is None:
        with _as_input_error(f"{folder}/vocab.txt"):
            pieces = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        options = {"do_lower_case": not is_cased(pieces)}
    else:
        normalizer = description.get("normalizer") or {}
        options = {name: normalizer[key] for name, key in NORMALIZER.items() if key in normalizer}
    return {name: value for name, value in options.items() if name not in settings}


def _load(folder: Path, options: dict[str, Any]) -> BertTokenizer:
    words = "tokenizer.json" if (folder / "tokenizer.json").is_file() else "vocab.txt"
    names = [f"{folder}/{words}", *(name for name in SETTINGS if (folder / name).is_file())]
    with _as_input_error(" with ".join(names)):
        return BertTokenizer.from_pretrained(folder, local_files_only=True, **options)


def _refuse_differences(description: dict[str, Any], used: dict[str, Any], folder: Path) -> None:
    """Raise InputError where tokenizer.json would give other ids than BertTokenizer, which transformers uses."""
    for part in ("normalizer", "pre_tokenizer"):
        stated, own = description[part] or {}, used[part]
        if stated != own:
            differing = [name for name in own if stated.get(name) != own[name]]
            got, expected = (shorten({name: options.get(name) for name in differing}) for options in (stated, own))
            raise InputError(
                f"{folder}: the {part} of tokenizer.json has {got}, but BertTokenizer, with the files beside it, has "
                f"{expected}; the model that is made here would be served with other ids than it was trained with"
            )
    for name, value in used["model"].items():
        if name != "vocab" and description["model"].get(name, value) != value:
            got = shorten(description["model"][name])
            raise InputError(f"{folder}/tokenizer.json: {name} is {got}, expected {value!r}, as BertTokenizer has it")
    added, known = (
        {(token["content"], token["id"]) for token in tokens["added_tokens"]} for tokens in (description, used)
    )
    if lost := added - known:
        raise InputError(f"{folder}: transformers does not load the added tokens {shorten(sorted(lost))}")


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
