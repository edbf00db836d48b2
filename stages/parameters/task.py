"""Section `tasks`: one entry for each task."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from stages.parameters.keep import Layers
from stages.parameters.kinds import TaskKind
from stages.parameters.section import NotNegative, Path, Positive, Probability, Rate, Section, Temperature, Weight
from stages.parameters.training import Optimization


class Splits(Section):
    train: str
    validation: str | Annotated[float, Field(gt=0, lt=0.5)]
    """A split of the source, or the share of its training rows to keep back. Decides which epoch is kept."""
    test: str
    """Scores are reported on it and nothing is chosen by it."""


class Data(Section):
    source: Path
    config: str | None
    splits: Splits
    columns: dict[str, Any]
    """What the kind of task reads, by the names that the source gives it."""
    max_rows: Positive | None
    """Training rows taken, chosen by their content; null takes all."""


class FinetuneTeacher(Optimization):
    epochs: Positive


class Phase(Section):
    epochs: NotNegative
    learning_rate: Rate
    batch_size: Positive
    warmup: Probability


class IntermediateLosses(Section):
    embedding: Weight
    hidden: Weight
    attention: Weight


class Intermediate(Phase):
    """First phase: imitate the teacher's inner states."""

    teacher_layers: Layers
    losses: IntermediateLosses


class Prediction(Phase):
    """Second phase: imitate the teacher's predictions."""

    temperature: Temperature
    soft: Weight
    """Weight of the teacher's predictions."""
    hard: Weight
    """Weight of the gold labels."""


class FinetuneStudent(Section):
    distill: bool
    """False fine-tunes on the gold labels alone: no intermediate phase, no soft loss."""
    intermediate: Intermediate
    prediction: Prediction
    weight_decay: Weight
    dropout: Probability
    seed: NotNegative

    @model_validator(mode="after")
    def _learns_from_something(self) -> "FinetuneStudent":
        if self.prediction.epochs < 1:
            raise ValueError("prediction.epochs is 0, at least 1 is needed to train the head")
        if self.distill and not self.prediction.soft + self.prediction.hard:
            raise ValueError("prediction.soft and prediction.hard are both 0")
        return self

    @model_validator(mode="after")
    def _imitates_something(self) -> "FinetuneStudent":
        losses, epochs = self.intermediate.losses, self.intermediate.epochs
        if self.distill and epochs and not any((losses.embedding, losses.hidden, losses.attention)):
            raise ValueError(
                f"intermediate.losses are all 0, but intermediate.epochs is {epochs}; wanted is one above 0"
            )
        return self


class Scored(Section):
    """What it takes to score a model on a task."""

    kind: TaskKind
    metric: str
    """The score that chooses the epoch and heads the report."""
    encoding: dict[str, Any]
    """How texts become token ids: max_length in tokens, and what else the kind needs."""
    decoding: dict[str, Any]
    """How logits become predictions; empty for most kinds."""


class Task(Scored):
    data: Data
    teacher: FinetuneTeacher
    student: FinetuneStudent
