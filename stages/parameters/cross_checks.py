"""What one section of params.yaml asks of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stages.parameters.sections import Scratch, Student
from tinybert.errors import InputError
from tinybert.pruning.layers import choose_layers

if TYPE_CHECKING:
    from stages.parameters.whole import Whole

SHORTEST = 8  # tokens in a sequence
Resolved = Mapping[str, Mapping[str, Any]]
"""The numbers of each task by part."""


def cross_checks(whole: Whole, tasks: Resolved) -> Iterator[str]:
    """A line for each contradiction between sections.

    What a checkpoint brings is not known here; the stages that read it check against it.
    """
    scratch = whole.initialize.scratch
    if whole.initialize.source == "data/corpus" and scratch is None:
        yield "initialize.scratch: is null, but initialize.source is the corpus: a new model needs its shape"
    yield from _length_doublings(whole)
    if scratch:
        for name, student in whole.students.items():
            yield from _fits_teacher(f"students.{name}", student, scratch)
        yield from _attention_losses(whole, tasks, scratch)
        yield from _positions(whole, tasks, scratch)


def _length_doublings(whole: Whole) -> Iterator[str]:
    length, doublings = whole.pack.sequence_length, whole.pretrain.length_doublings
    if length % 2**doublings or length >> doublings < SHORTEST:
        yield (
            f"pretrain.length_doublings: is {doublings}, but pack.sequence_length {length} cannot be halved so often; "
            f"expected a whole number of tokens, {SHORTEST} or more"
        )


def _fits_teacher(section: str, student: Student, teacher: Scratch) -> Iterator[str]:
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers"):
        size, largest = getattr(student, name), getattr(teacher, name)
        if size > largest:
            yield f"{section}.{name}: is {size}, but the teacher's (initialize.scratch.{name}) is {largest}"
    if student.num_hidden_layers > teacher.num_hidden_layers:
        return
    for name in ("keep_layers", "teacher_layers"):
        try:
            choose_layers(getattr(student, name), student=student.num_hidden_layers, teacher=teacher.num_hidden_layers)
        except InputError as error:
            yield f"{section}.{name}: {error}"


def _attention_losses(whole: Whole, tasks: Resolved, teacher: Scratch) -> Iterator[str]:
    others = [name for name, s in whole.students.items() if s.num_attention_heads != teacher.num_attention_heads]
    if not others:
        return
    weights = {"distill.losses.attention": whole.distill.losses.attention}
    for name, parts in tasks.items():
        place = f"tasks.{name}.student.intermediate.losses.attention"
        weights[place] = parts["student"]["student"]["intermediate"]["losses"]["attention"]
    for place, weight in weights.items():
        if weight:
            yield (
                f"{place}: expected 0, got {weight}: students.{others[0]}.num_attention_heads differs from "
                "the teacher's"
            )


def _positions(whole: Whole, tasks: Resolved, teacher: Scratch) -> Iterator[str]:
    lengths = {"pack.sequence_length": whole.pack.sequence_length}
    lengths |= {f"measure.lengths.{number}": length for number, length in enumerate(whole.measure.lengths)}
    lengths |= {f"tasks.{name}.encoding.max_length": parts["encoding"]["encoding"]["max_length"]
                for name, parts in tasks.items()}  # fmt: skip
    for place, length in lengths.items():
        if length > teacher.max_position_embeddings:
            yield f"{place}: is {length}, above initialize.scratch.max_position_embeddings"
