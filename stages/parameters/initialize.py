"""Section `initialize`: the tokenizer and the starting weights."""

from typing import Annotated

from pydantic import Field, model_validator

from stages.parameters.section import NotNegative, Path, Positive, Section


class Scratch(Section):
    """A new vocabulary and a random BERT of this shape."""

    vocab_size: Annotated[int, Field(ge=32)]
    lowercase: bool
    hidden_size: Positive
    num_hidden_layers: Positive
    num_attention_heads: Positive
    intermediate_size: Positive
    max_position_embeddings: Annotated[int, Field(ge=16)]
    seed: NotNegative

    @model_validator(mode="after")
    def _heads_divide_hidden_size(self) -> "Scratch":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not divisible by num_attention_heads {self.num_attention_heads}"
            )
        return self


class Initialize(Section):
    source: Path
    """data/corpus (from scratch), or a folder that holds a BERT checkpoint with its tokenizer."""
    scratch: Scratch | None
    """Shape of the model made from scratch; null with a checkpoint, which brings its own."""
