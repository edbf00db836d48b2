"""Downloads one revision of a repository of the Hugging Face hub, by way of the hub's own cache on this machine."""

import shutil
from pathlib import Path
from typing import Literal

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

from tinybert.errors import InputError

MODEL_FILES = [
    *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "*.safetensors", "*.safetensors.index.json", "README*", "LICENSE*"),
]
IN_FOLDERS = "*/*"
IGNORED = [
    *("*.py", "*.pyc"),
    # Reading one of these can run what is written in it.
    *("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.joblib"),
    # Git and DVC would follow these wherever the files end up.
    *(".git*", "*/.git*", ".dvc*", "*/.dvc*", "*.dvc", "dvc.yaml", "*/dvc.yaml"),
]

# The first class that fits gives the reason.
REASONS = (
    (GatedRepoError, "it is gated: accept its terms on its page, and log in with `hf auth login`"),
    (RepositoryNotFoundError, "the hub has no such repository, or it is private: log in with `hf auth login`"),
    (RevisionNotFoundError, "the repository has no such revision"),
    (LocalEntryNotFoundError, "the hub cannot be reached, and this machine's cache does not have all of it"),
    (Exception, "the download failed; what has arrived is kept, so run this again"),
)
REFUSED = "the hub refuses access with the token of this machine, or without one: log in with `hf auth login`"


def download(
    folder: Path, *, repository: str, type: Literal["dataset", "model"], revision: str, files: list[str] | None = None
) -> None:
    """Write the files of a repository into `folder`, as files rather than links, and neither code nor pickles.

    `files` are patterns; None takes all of a data set, and of a model what loads it from safetensors.

    Raises InputError where the repository cannot be downloaded (unknown, gated, offline, broken off), where a pattern
    fits no file, or where a model has no safetensors weights or no configuration.
    """
    source = f"{type} {repository} at {revision}"
    allowed = files or (MODEL_FILES if type == "model" else ["*"])
    # Folders of a model hold the same weights again, for other programs.
    ignored = [*IGNORED, IN_FOLDERS] if type == "model" and files is None else IGNORED
    try:
        snapshot = snapshot_download(
            repository, repo_type=type, revision=revision, allow_patterns=allowed, ignore_patterns=ignored
        )
    except (OSError, httpx2.HTTPError, HFValidationError, XetDownloadError) as error:
        raise _failure(error, source) from error
    # A cache that other programs fill too may hold more than was requested.
    paths = (path for path in Path(snapshot).rglob("*") if not path.is_dir())
    present = sorted(path.relative_to(snapshot).as_posix() for path in paths)
    names = list(filter_repo_objects(present, allow_patterns=allowed, ignore_patterns=ignored))
    _require_files(names, source, patterns=files or ["*"], is_model=type == "model")
    for name in names:
        _copy(Path(snapshot, name), folder / name, source)


def _failure(error: Exception, source: str) -> InputError:
    reason = next(reason for kind, reason in REASONS if isinstance(error, kind))
    if type(error) is HfHubHTTPError and error.response.status_code in (401, 403):
        reason = REFUSED
    return InputError(f"{source}: {reason} ({type(error).__name__}: {' '.join(str(error).split())})")


def _require_files(names: list[str], source: str, *, patterns: list[str], is_model: bool) -> None:
    for pattern in patterns:
        if not any(filter_repo_objects(names, allow_patterns=pattern)):
            raise InputError(f"{source}: no file fits {pattern!r} (code and pickles are never downloaded)")
    if is_model and "config.json" not in names:
        raise InputError(f"{source}: it has no config.json, so it is no model that transformers can load")
    if is_model and not any(name.endswith(".safetensors") for name in names):
        raise InputError(
            f"{source}: it has no weights in safetensors files, and pickled ones are never read; often another "
            "revision (under refs/pr) has them converted"
        )


def _copy(cached: Path, target: Path, source: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(cached, target)
    except FileNotFoundError as error:
        raise InputError(f"{source}: the cache has lost {cached.name}; delete {cached} and run again") from error
