"""A repository on the Hugging Face hub as a source, at one commit of it."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from tinybert.data.hub import download


def _check_revision(revision: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(
            f"expected the full name of a commit, 40 digits of 0-9 and a-f, as the hub shows under Files, History, "
            f"got {revision!r}; a branch or a tag moves, so that the same parameters would give other data tomorrow"
        )
    return revision


class Options(BaseModel):
    """Which repository is downloaded, and which of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+(/[\w.-]+)?$")]  # as in the address: owner/name
    type: Literal["dataset", "model"]
    revision: Annotated[str, AfterValidator(_check_revision)]
    # Patterns such as "data/train-*.parquet" of the files to download; a * also stands for folders. None: all of a data
    # set; of a model its configuration, tokenizer, safetensors weights and licence.
    files: Annotated[list[str], Field(min_length=1)] | None = None


def write(folder: Path, *, options: Options) -> None:
    """Download the files into `folder`. Raises InputError as `tinybert.data.hub.download` does."""
    download(folder, **options.model_dump())
