"""params.yaml as a whole: all sections, and what one asks of another."""

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from stages.parameters.section import Name, Section
from stages.parameters.sections import (
    Compute,
    Distill,
    Export,
    Initialize,
    Measure,
    Pack,
    PrepareCorpus,
    Pretrain,
    ReportedName,
    Scratch,
    Shrink,
    Source,
    Student,
    TaskTexts,
)
from stages.parameters.tasks import Finetuning, Task, resolve, task_problems
from stages.parameters.validation import problems, refuse, validate
from tinybert.errors import InputError
from tinybert.pruning.layers import choose_layers


class Whole(Section):
    compute: Compute
    sources: dict[Name, Source]
    prepare_corpus: PrepareCorpus
    initialize: Initialize
    pack: Pack
    pretrain: Pretrain
    shrink: Shrink
    students: Annotated[dict[ReportedName, Student], Field(min_length=1)]
    task_texts: TaskTexts
    distill: Distill
    finetuning: Finetuning
    export: Export
    measure: Measure
    tasks: Annotated[dict[ReportedName, Task], Field(min_length=1)]


SHORTEST = 8  # tokens in a sequence
Tasks = dict[str, dict[str, Any]]
"""The numbers of each task by part: data, encoding, teacher, teaching, student."""


def validate_whole(given: dict[str, Any]) -> tuple[Whole, Tasks]:
    """params.yaml and its resolved tasks. Raises InputError with a line for each problem, in and between sections."""
    whole = validate(Whole, given)
    in_tasks = {name: list(task_problems(name, task, whole.finetuning)) for name, task in whole.tasks.items()}
    tasks = {
        name: resolve(whole.tasks[name], whole.finetuning, whole.sources)
        for name, found in in_tasks.items()
        if not found
    }
    refuse(chain(_source_problems(whole), *in_tasks.values(), _cross_checks(whole, tasks)))
    return whole, tasks


def _source_problems(whole: Whole) -> Iterator[str]:
    for name, source in whole.sources.items():
        options = import_module(f"stages.sources.{source.kind}").Options
        yield from problems(options, source.options, section=("sources", name, "options"))


def _cross_checks(whole: Whole, tasks: Tasks) -> Iterator[str]:
    """A line for each contradiction between sections.

    What a checkpoint brings is not known here; the stages that read it check against it.
    """
    scratch = whole.initialize.scratch
    if whole.initialize.source == "data/corpus" and scratch is None:
        yield "initialize.scratch: is null, but initialize.source is the corpus: a new model needs its shape"
    yield from _length_doublings(whole)
    yield from _task_texts(whole)
    yield from _vocabularies(whole)
    yield from _relation_losses(whole, tasks)
    if scratch:
        for name, student in whole.students.items():
            yield from _fits_teacher(f"students.{name}", student, scratch)
        yield from _attention_losses(whole, tasks, scratch)
        yield from _positions(whole, tasks, scratch)


def _task_texts(whole: Whole) -> Iterator[str]:
    section, batch_size = whole.task_texts, whole.distill.batch_size
    for number, task in enumerate(section.tasks):
        if task not in whole.tasks:
            yield f"task_texts.tasks.{number}: expected a task of section tasks, got {task!r}"
    blocks = round(section.share * batch_size)
    if section.tasks and not 0 < blocks < batch_size:
        yield (
            f"task_texts.share: is {section.share}, which makes {blocks} of the {batch_size} blocks of a step "
            "(distill.batch_size); expected a share that leaves one or more for each of corpus and tasks"
        )


def _vocabularies(whole: Whole) -> Iterator[str]:
    """A student's own vocabulary is a part of its teacher's, and has no logits that compare with the teacher's."""
    losses = whole.distill.losses.model_dump() if whole.distill.steps else {}
    of_the_head = [name for name in ("prediction", "hard") if losses.get(name)]
    for name, student in whole.students.items():
        size, place = student.vocab_size, f"students.{name}.vocab_size"
        if size and of_the_head and student.is_distilled:
            yield (
                f"{place}: expected null, got {size}: distill.losses.{of_the_head[0]} compares MLM logits over the "
                "teacher's vocabulary; set it to 0"
            )
        largest = whole.initialize.scratch.vocab_size if whole.initialize.scratch else size
        if size and largest and size > largest:
            yield f"{place}: is {size}, but the teacher's (initialize.scratch.vocab_size) is {largest}"


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
        if (layers := getattr(student, name)) in ("importance", None):
            continue
        try:
            choose_layers(layers, student=student.num_hidden_layers, teacher=teacher.num_hidden_layers)
        except InputError as error:
            yield f"{section}.{name}: {error}"


def _attention_losses(whole: Whole, tasks: Tasks, teacher: Scratch) -> Iterator[str]:
    """Attention scores are compared head by head."""
    heads = teacher.num_attention_heads
    others = [name for name, s in whole.students.items() if s.is_distilled and s.num_attention_heads != heads]
    for place, losses in _trained_losses(whole, tasks, "attention").items() if others else ():
        if losses["attention"]:
            yield (
                f"{place}.attention: expected 0, got {losses['attention']}: students.{others[0]}.num_attention_heads "
                f"differs from the teacher's; {place}.relation takes any numbers"
            )


def _relation_losses(whole: Whole, tasks: Tasks) -> Iterator[str]:
    """Queries, keys and values of student and teacher are split into as many heads."""
    sizes = {f"students.{name}.hidden_size": s.hidden_size for name, s in whole.students.items() if s.is_distilled}
    if sizes and whole.initialize.scratch:
        sizes["initialize.scratch.hidden_size"] = whole.initialize.scratch.hidden_size
    for place, losses in _trained_losses(whole, tasks, "relation", "relation_heads").items():
        heads = losses["relation_heads"]
        wrong = [f"{key} {size}" for key, size in sizes.items() if size % heads]
        if losses["relation"] and wrong:
            yield f"{place}.relation_heads: is {heads}, which does not divide {', '.join(wrong)}"


def _trained_losses(whole: Whole, tasks: Tasks, *keys: str) -> dict[str, dict[str, Any]]:
    """The losses to inner states of each training, by the place in params.yaml that gives one of `keys` for it."""
    found = {"distill.losses": whole.distill.losses.model_dump()} if whole.distill.steps else {}
    for name, parts in tasks.items():
        student = parts["student"]["student"]
        own = whole.tasks[name].student.get("intermediate", {}).get("losses", {})
        part = f"tasks.{name}.student" if own.keys() & {*keys} else "finetuning.student"
        if student["distill"] and student["intermediate"]["epochs"]:
            found[f"{part}.intermediate.losses"] = student["intermediate"]["losses"]
    return found


def _positions(whole: Whole, tasks: Tasks, teacher: Scratch) -> Iterator[str]:
    lengths = {"pack.sequence_length": whole.pack.sequence_length}
    lengths |= {f"measure.lengths.{number}": length for number, length in enumerate(whole.measure.lengths)}
    lengths |= {f"tasks.{name}.encoding.max_length": parts["encoding"]["encoding"]["max_length"]
                for name, parts in tasks.items()}  # fmt: skip
    for place, length in lengths.items():
        if length > teacher.max_position_embeddings:
            yield f"{place}: is {length}, above initialize.scratch.max_position_embeddings"
