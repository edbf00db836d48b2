"""Sections `prepare_corpus` and `pack`: from raw texts to blocks of token ids."""

from typing import Annotated

from pydantic import Field

from stages.parameters.section import Path, Positive, Section


class PrepareCorpus(Section):
    source: Path
    """Folder or file of texts: data/raw/NAME, a part of it, or a place outside the project."""
    config: str | None
    """Configuration of a data set in the hub's layout; null where there is one only."""
    split: str
    text_column: str
    min_characters: Positive
    """Shorter documents are left out."""
    max_documents: Positive | None
    """Documents taken, in the order of the source; null takes all."""
    heldout: Annotated[float, Field(gt=0, lt=0.5)]
    """Share of the documents kept for measuring."""


class Pack(Section):
    sequence_length: Annotated[int, Field(ge=16)]
    """Tokens in a block, special ones included."""
