"""Sections `finetuning`, what all tasks share, and `tasks`, where an entry says what differs; and how both resolve."""

from collections.abc import Iterator, Mapping
from os.path import normpath
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from stages.parameters.section import (
    Fraction,
    NotNegative,
    Path,
    Positive,
    Section,
    TaskKind,
    Temperature,
    TextEncoding,
    Weight,
    task_metrics,
    task_rows,
)
from stages.parameters.sections import IntermediateLosses, Schedule, Source, Training
from stages.parameters.validation import problems

Tree = dict[str, Any]


Share = Annotated[float, Field(gt=0, lt=0.5)]


class Splits(Section):
    """The source's names of its splits, or a share of the rows of `train` to draw in its place."""

    train: str = "train"
    validation: str | Share = "validation"
    """Decides which epoch is kept."""
    test: str | Share = "test"
    """Scores are reported on it and nothing is chosen by it."""


class Unlabelled(Section):
    """More training inputs, without labels, for the teacher to label."""

    source: Path
    """`data.source` or a file or folder in it, since that is what DVC watches for a task."""
    config: str | None = None
    split: str = "train"
    encoding: TextEncoding | None = None
    """As `data.encoding`."""
    columns: dict[str, Any] = {}
    """The names of input columns that are not those of `data.columns`; label columns are not read."""
    max_rows: Positive | None = None
    """Rows taken, chosen by their content; null takes all."""


class Data(Section):
    source: Path
    config: str | None = None
    """Configuration of a data set in the hub's layout; null where there is one only."""
    splits: Splits = Splits()
    encoding: TextEncoding | None = None
    """Of files of text; null is UTF-8, or UTF-16 where the file says so."""
    quoted: bool | None = None
    """Whether tsv files put values in quotes; null tells by the file."""
    columns: dict[str, Any] = {}
    """What the kind of task reads, by the names that the source gives it, or by numbers from 0 where it gives none."""
    group: str | None = None
    """A column whose rows of one value, such as an author, fall into one split where shares are drawn."""
    skip_unlabelled: bool = False
    """Leave out rows without a label; false refuses them."""
    max_rows: Positive | None = None
    """Training rows taken, chosen by their content; null takes all."""
    unlabelled: Unlabelled | None = None


class FinetuneTeacher(Schedule, Training):
    epochs: Positive


class Augmentation(Section):
    """TinyBERT's data augmentation, by the pretrained teacher's MLM head."""

    copies: NotNegative = 0
    """Of each training row, with other words in them; 0 makes none."""
    probability: Fraction = 0.3
    """With which a word of a copy is replaced."""
    candidates: Positive = 15
    """Words to draw a replacement from, the most probable ones."""


class Teaching(Section):
    """Rows that the teacher labels, beside those of `data.unlabelled`."""

    new_pairs: NotNegative = 0
    """Of two texts: rows made for each training row, of its second text with the first of another row."""
    cloze_questions: NotNegative = 0
    """Of question answering: at most so many rows made from data/corpus/train for each training row."""
    augmentation: Augmentation = Augmentation()
    seed: NotNegative = 1
    """Of pairs, questions and copies."""


class Phase(Schedule):
    epochs: NotNegative


class Intermediate(Phase):
    """First phase: the teacher's inner states as targets."""

    losses: IntermediateLosses


class Prediction(Phase):
    """Second phase: the teacher's logits as targets."""

    temperature: Temperature
    soft: Weight
    """Weight of the loss to the teacher's predictions."""
    hard: Weight
    """Weight of the loss to the gold labels."""


class FinetuneStudent(Training):
    distill: bool
    """False fine-tunes on the gold labels alone: no intermediate phase, no soft loss."""
    intermediate: Intermediate
    prediction: Prediction

    @model_validator(mode="after")
    def _has_a_loss(self) -> "FinetuneStudent":
        if self.prediction.epochs < 1:
            raise ValueError("expected prediction.epochs of at least 1, got 0: they train the head")
        if self.distill and not self.prediction.soft + self.prediction.hard:
            raise ValueError("expected prediction.soft or prediction.hard above 0, got 0 for both")
        return self

    @model_validator(mode="after")
    def _has_an_intermediate_loss(self) -> "FinetuneStudent":
        losses, epochs = self.intermediate.losses, self.intermediate.epochs
        if self.distill and epochs and not any(losses.weights().values()):
            raise ValueError(f"expected one of intermediate.losses above 0 for {epochs} epochs, got 0 for all")
        return self


class Finetuning(Section):
    """What all tasks share; an entry of `tasks` overrides single keys of it."""

    teacher: FinetuneTeacher
    teaching: Teaching = Teaching()
    student: FinetuneStudent


class Scored(Section):
    """What it takes to score a model on a task."""

    kind: TaskKind
    metric: str
    """The score that chooses the epoch and heads the report."""
    encoding: Tree
    """How texts become token ids: max_length in tokens, and what else the kind needs."""
    decoding: Tree
    """How logits become predictions; empty for most kinds."""


class Origin(Section):
    """Where a task's rows come from, as its card says it."""

    name: str
    split: str
    """Of the scores; of a share of the training rows, which."""
    repository: str | None
    """On the hub, where the data set is from there."""
    revision: str | None


class Task(Section):
    """An entry of `tasks`. What it leaves out is the default of its kind or of `finetuning`."""

    kind: TaskKind
    metric: str
    data: Data
    encoding: Tree = {}
    decoding: Tree = {}
    teacher: Tree = {}
    teaching: Tree = {}
    student: Tree = {}


PARTS: dict[str, type[BaseModel]] = {"teacher": FinetuneTeacher, "teaching": Teaching, "student": FinetuneStudent}


def merged(default: Mapping[str, Any], overrides: Mapping[str, Any]) -> Tree:
    """`default` with the values of `overrides`, mapping by mapping; a list is taken whole."""
    both = dict(default)
    for key, value in overrides.items():
        inner = both.get(key)
        both[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return both


def resolve(task: Task, finetuning: Finetuning, sources: Mapping[str, Source]) -> dict[str, Tree]:
    """The numbers of one task by part, as the stages read them: data, origin, encoding, teacher, teaching, student."""
    kind = task_rows(task.kind)
    scored = {"encoding": kind.Encoding(**task.encoding), "decoding": kind.Decoding(**task.decoding)}
    parts = {part: model.model_validate(merged(getattr(finetuning, part).model_dump(), getattr(task, part)))
             for part, model in PARTS.items()}  # fmt: skip
    return {
        "data": {"kind": task.kind, "data": _resolved_data(task.data)},
        "origin": {"origin": _origin(task.data, sources).model_dump()},
        "encoding": {"kind": task.kind, "metric": task.metric} | {n: part.model_dump() for n, part in scored.items()},
        **{part: {part: section.model_dump()} for part, section in parts.items()},
    }


def _resolved_data(data: Data) -> Tree:
    """With the names of the unlabelled rows' columns filled in."""
    numbers = data.model_dump()
    if data.unlabelled:
        numbers["unlabelled"]["columns"] = merged(data.columns, data.unlabelled.columns)
    return numbers


def _origin(data: Data, sources: Mapping[str, Source]) -> Origin:
    name, test = data.source.removeprefix("data/raw/"), data.splits.test
    source = sources.get(name.partition("/")[0])
    from_hub = source.options if source and source.kind == "hub" else {}
    split = test if isinstance(test, str) else f"{test:g} of {data.splits.train}"
    return Origin(name=name, split=split, repository=from_hub.get("repository"), revision=from_hub.get("revision"))


def task_problems(name: str, task: Task, finetuning: Finetuning) -> Iterator[str]:
    """A line for each thing in an entry that its kind or the defaults that it overrides do not have."""
    kind, section = task_rows(task.kind), ("tasks", name)
    in_columns = problems(kind.Columns, task.data.columns, section=(*section, "data", "columns"))
    yield from in_columns or _unlabelled_problems(name, task.data, kind)
    yield from problems(kind.Encoding, task.encoding, section=(*section, "encoding"))
    yield from problems(kind.Decoding, task.decoding, section=(*section, "decoding"))
    metrics = task_metrics(task.kind).NAMES
    if task.metric not in metrics:
        yield f"tasks.{name}.metric: expected for {task.kind} one of {', '.join(metrics)}, got {task.metric!r}"
    for part, model in PARTS.items():
        both = merged(getattr(finetuning, part).model_dump(), getattr(task, part))
        in_part = problems(model, both, section=(*section, part))
        yield from in_part
        if part == "teaching" and not in_columns + in_part:
            yield from _made_problems(name, task, Teaching.model_validate(both))


def _unlabelled_problems(name: str, data: Data, kind: Any) -> Iterator[str]:
    if data.unlabelled is None:
        return
    section = ("tasks", name, "data", "unlabelled")
    yield from problems(kind.Columns, merged(data.columns, data.unlabelled.columns), section=(*section, "columns"))
    whole, part = (PurePath(normpath(source)) for source in (data.source, data.unlabelled.source))
    if not part.is_relative_to(whole):
        yield (
            f"{'.'.join(section)}.source: expected tasks.{name}.data.source ({data.source}) or a path in it, which is "
            f"what DVC watches, got {data.unlabelled.source!r}"
        )


def _made_problems(name: str, task: Task, teaching: Teaching) -> Iterator[str]:
    """A line for each kind of generated row that the task cannot have."""
    kind = task_rows(task.kind)
    texts = kind.input_columns(kind.Columns.model_validate(task.data.columns))
    refused = {
        "new_pairs": f"a row of {name} has one text, {texts[0]}" if len(texts) < 2 else None,
        "cloze_questions": f"{name} is not a question-answering task (kind: qa)" if task.kind != "qa" else None,
    }
    for key, reason in refused.items():
        if (got := getattr(teaching, key)) and reason:
            place = f"tasks.{name}" if key in task.teaching else "finetuning"
            yield f"{place}.teaching.{key}: expected 0, got {got}: {reason}"
