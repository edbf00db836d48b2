"""What one section of params.yaml asks of another."""

from collections.abc import Iterator
from typing import Any

from stages.model.layers import choose_layers
from stages.parameters.initialize import Scratch
from stages.parameters.whole import Whole
from stages.pipeline.errors import InputError

SHORTEST = 8  # tokens in a sequence


def across_sections(whole: Whole) -> Iterator[str]:
    """A line for each contradiction between sections.

    What a checkpoint brings is not known here; the stages that read it check against it.
    """
    scratch = whole.initialize.scratch
    if whole.initialize.source == "data/corpus" and scratch is None:
        yield "initialize.scratch: is null, but initialize.source is the corpus: a new model needs its shape"
    yield from _not_halved(whole)
    if scratch:
        yield from _cut_from(scratch, whole)
        yield from _too_long(scratch, whole)


def _not_halved(whole: Whole) -> Iterator[str]:
    length, doublings = whole.pack.sequence_length, whole.pretrain.length_doublings
    if length % 2**doublings or length >> doublings < SHORTEST:
        yield (
            f"pretrain.length_doublings: is {doublings}, but pack.sequence_length {length} cannot be halved so often; "
            f"wanted is a whole number of tokens, {SHORTEST} or more"
        )


def _cut_from(scratch: Scratch, whole: Whole) -> Iterator[str]:
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers"):
        student, teacher = getattr(whole.shrink, name), getattr(scratch, name)
        if student > teacher:
            yield f"shrink.{name}: is {student}, but the teacher's (initialize.scratch.{name}) is {teacher}"
    if whole.shrink.num_hidden_layers <= scratch.num_hidden_layers:
        yield from _layer_rules(scratch.num_hidden_layers, whole)
    if whole.shrink.num_attention_heads != scratch.num_attention_heads:
        yield from _attention_losses(whole)


def _layer_rules(teacher: int, whole: Whole) -> Iterator[str]:
    rules = {"shrink.keep_layers": whole.shrink.keep_layers, "distill.teacher_layers": whole.distill.teacher_layers}
    for name, task in whole.tasks.items():
        rules[f"tasks.{name}.student.intermediate.teacher_layers"] = task.student.intermediate.teacher_layers
    for place, rule in rules.items():
        try:
            choose_layers(rule, student=whole.shrink.num_hidden_layers, teacher=teacher)
        except InputError as error:
            yield f"{place}: {error}"


def _attention_losses(whole: Whole) -> Iterator[str]:
    weights = {"distill.losses.attention": whole.distill.losses.attention}
    for name, task in whole.tasks.items():
        weights[f"tasks.{name}.student.intermediate.losses.attention"] = task.student.intermediate.losses.attention
    for place, weight in weights.items():
        if weight:
            yield f"{place}: is {weight}, but shrink.num_attention_heads differs from the teacher's; wanted is 0"


def _too_long(scratch: Scratch, whole: Whole) -> Iterator[str]:
    lengths: dict[str, Any] = {"pack.sequence_length": whole.pack.sequence_length}
    lengths |= {f"benchmark.lengths.{number}": length for number, length in enumerate(whole.benchmark.lengths)}
    for name, task in whole.tasks.items():
        lengths[f"tasks.{name}.encoding.max_length"] = task.encoding.get("max_length")
    for place, length in lengths.items():
        # Whether it is there, and a number, is for the kind of task to say.
        if isinstance(length, int) and length > scratch.max_position_embeddings:
            yield f"{place}: is {length}, above initialize.scratch.max_position_embeddings"
