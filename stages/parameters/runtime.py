"""Sections `export` and `benchmark`."""

from typing import Annotated

from pydantic import Field

from stages.parameters.section import Positive, Section, Weight


class Export(Section):
    largest_difference: Weight
    """Of a logit, between the float32 ONNX model and PyTorch; above it the stage fails."""
    largest_loss: Weight
    """Of the task's metric on the test split, between the int8 ONNX model and PyTorch; above it the stage fails."""


class Benchmark(Section):
    lengths: Annotated[list[Annotated[int, Field(ge=4)]], Field(min_length=1)]
    """Tokens in a sequence."""
    batch_sizes: Annotated[list[Positive], Field(min_length=1)]
    """Sequences at once, of which the fastest counts for the throughput."""
    rounds: Annotated[int, Field(ge=5)]
    """Each round times every model once."""
