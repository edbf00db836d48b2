"""What a source of the kind `hub` can be told: a repository on the Hugging Face hub, at one commit of it."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _check_revision(revision: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(
            "wanted is the full name of a commit, 40 digits of 0-9 and a-f, as the hub shows under Files, History; "
            "a branch or a tag moves, so that the same parameters would give other data tomorrow"
        )
    return revision


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+(/[\w.-]+)?$")]  # as in the address: owner/name
    type: Literal["dataset", "model"]
    revision: Annotated[str, AfterValidator(_check_revision)]
    # Patterns as "data/train-*.parquet" of the files to bring; a * also stands for folders. None: all of a data set; of
    # a model its configuration, tokenizer, safetensors weights and licence.
    files: Annotated[list[str], Field(min_length=1)] | None = None
