"""Brings in a repository of the Hugging Face hub, by way of the hub's own cache on this machine."""

import shutil
from pathlib import Path

import httpx2
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.utils import filter_repo_objects

from stages.pipeline.errors import InputError
from stages.sources.hub.options import Options

MODEL_FILES = [
    *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "*.safetensors", "*.safetensors.index.json", "README*", "LICENSE*"),
]
IN_FOLDERS = "*/*"
CODE = ["*.py", "*.pyc"]
# Reading one of these can run what is written in it.
PICKLES = ["*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.joblib"]
# Git and DVC would follow these where the files end up.
TOOLS = [".git*", "*/.git*", ".dvc*", "*/.dvc*", "*.dvc", "dvc.yaml", "*/dvc.yaml"]

# The first that fits is the reason.
REASONS = (
    (GatedRepoError, "it is gated: accept its terms on its page, and log in with `hf auth login`"),
    (RepositoryNotFoundError, "the hub has no such repository, or it is private: log in with `hf auth login`"),
    (RevisionNotFoundError, "the repository has no such revision"),
    (LocalEntryNotFoundError, "the hub cannot be reached, and this machine's cache does not have all of it"),
    (Exception, "the download failed; what has arrived is kept, so run this again"),
)
REFUSED = "the hub refuses access with the token of this machine, or without one: log in with `hf auth login`"


def write(folder: Path, *, options: Options) -> None:
    """Write the files of the repository into `folder`: files, not links, and neither code nor pickles.

    Raises InputError where the repository cannot be had (unknown, gated, offline, broken off), where a pattern fits
    no file, or where a model has no safetensors weights or no configuration.
    """
    wanted = options.files or (MODEL_FILES if options.type == "model" else ["*"])
    unwanted = [*CODE, *PICKLES, *TOOLS]
    if options.type == "model" and options.files is None:
        unwanted.append(IN_FOLDERS)  # the same weights again, for other programs
    snapshot = _download(options, wanted=wanted, unwanted=unwanted)
    # A cache that other programs fill too may hold more than was asked for.
    present = sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if not path.is_dir())
    names = list(filter_repo_objects(present, allow_patterns=wanted, ignore_patterns=unwanted))
    _check(names, options)
    for name in names:
        _copy(snapshot / name, folder / name, options)


def _download(options: Options, *, wanted: list[str], unwanted: list[str]) -> Path:
    """The folder of the cache in which the files are."""
    try:
        return Path(
            snapshot_download(
                options.repository,
                repo_type=options.type,
                revision=options.revision,
                allow_patterns=wanted,
                ignore_patterns=unwanted,
            )
        )
    except (OSError, httpx2.HTTPError, HFValidationError, XetDownloadError) as error:
        raise _failure(error, options) from error


def _failure(error: Exception, options: Options) -> InputError:
    reason = next(reason for kind, reason in REASONS if isinstance(error, kind))
    if type(error) is HfHubHTTPError and error.response.status_code in (401, 403):
        reason = REFUSED
    return InputError(f"{_name(options)}: {reason} ({type(error).__name__}: {' '.join(str(error).split())})")


def _check(names: list[str], options: Options) -> None:
    for pattern in options.files or ["*"]:
        if not any(filter_repo_objects(names, allow_patterns=pattern)):
            raise InputError(f"{_name(options)}: no file fits {pattern!r} (code and pickles are never brought in)")
    if options.type == "model" and "config.json" not in names:
        raise InputError(f"{_name(options)}: it has no config.json, so it is no model that transformers can load")
    if options.type == "model" and not any(name.endswith(".safetensors") for name in names):
        raise InputError(
            f"{_name(options)}: it has no weights in safetensors files, and pickled ones are never read; often another "
            "revision (under refs/pr) has them converted"
        )


def _copy(source: Path, target: Path, options: Options) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise InputError(
            f"{_name(options)}: the cache has lost {source.name}; delete {source} and run again"
        ) from error


def _name(options: Options) -> str:
    return f"{options.type} {options.repository} at {options.revision}"
