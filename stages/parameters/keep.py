"""Section `shrink`: what stays of the teacher."""

from typing import Literal

from pydantic import model_validator

from stages.parameters.section import NotNegative, Positive, Section

Layers = Literal["first", "last", "uniform"] | list[NotNegative]
"""A rule, or the teacher's layers by number, counted from 0."""


class Shrink(Section):
    num_hidden_layers: Positive
    keep_layers: Layers
    hidden_size: Positive
    num_attention_heads: Positive
    intermediate_size: Positive

    @model_validator(mode="after")
    def _shape_is_possible(self) -> "Shrink":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not divisible by num_attention_heads {self.num_attention_heads}"
            )
        return self
