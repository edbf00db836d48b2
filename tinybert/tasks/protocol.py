"""What a kind of task is: a folder tinybert/tasks/KIND with four modules, one for each Protocol below.

rows.py, a TaskRows, reads a source's rows into one table, without torch. encoding.py, a TaskEncoding, makes of a row
what a model reads, and of logits a prediction, with numpy and tokenizers alone: it is all that using a model takes.
model.py, a TaskModel, has the head, batches and losses. metrics.py, a TaskMetrics, scores predictions and shows them as
text, with numpy. A new kind is a new folder; its modules are imported by name. They are several because a stage depends
on the modules that it imports: an edited metric or model prepares no rows again.

A row is a dict by the columns of SCHEMA; in an unlabelled row all but INPUTS are None. A feature is one input of the
model; a row has one, several (windows of a long text) or none. A prediction is what one row gets: a label, a number, a
list of tags or an answer. `labels` are the class names in the order of the model's outputs, and empty for a kind
without classes. B batch or resamples, C classes, L length, N rows.
"""

# pyright: reportReturnType=false
# (the methods of a Protocol are a signature and a docstring)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from pydantic import BaseModel
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import BertPreTrainedModel

Row = dict[str, Any]
Feature = dict[str, Any]
Prediction = Any
Logits = list[np.ndarray]


class TaskRows(Protocol):
    """rows.py: a source's rows as one table. It imports neither torch nor transformers."""

    SCHEMA: pa.Schema
    """Of the parquet file of each split."""

    @property
    def INPUTS(self) -> tuple[str, ...]:
        """The columns of SCHEMA that a model reads; the others hold gold labels and ids."""

    @property
    def AUGMENTED(self) -> tuple[str, ...]:
        """Those of INPUTS whose words data augmentation replaces: the text of an answer has to stay in its context."""

    @property
    def GROUPED(self) -> tuple[str, ...]:
        """Those of INPUTS that two splits must not share: rows with one context belong together, one question apart."""

    @property
    def Columns(self) -> type[BaseModel]:
        """`data.columns` of a task: the source's names for the columns that are read."""

    @property
    def Encoding(self) -> type[BaseModel]:
        """`encoding` of a task: how text becomes token ids. Every field has a default; `max_length` is one of them."""

    @property
    def Decoding(self) -> type[BaseModel]:
        """`decoding` of a task: how logits become predictions. Every field has a default."""

    def column_names(self, columns: Any) -> list[str]:
        """The source's columns that read_row reads. `columns` is a Columns of this kind, here and below."""

    def input_columns(self, columns: Any) -> list[str]:
        """The source's columns that read_input reads, one for each text."""

    def label_column(self, columns: Any) -> str | None:
        """The column whose class names, where the source has them, are `names` below; None where there is none."""

    def read_row(self, row: Row, *, columns: Any, names: list[str] | None) -> Row:
        """A source's row as a row of SCHEMA.

        Raises InputError for a row that no model can learn from, and NoLabel, which is one, where just the label is
        missing.
        """

    def read_input(self, row: Row, *, columns: Any) -> Row:
        """The INPUTS of a source's row. Raises InputError for a row that no model can learn from."""

    def label_names(self, train_rows: list[Row], *, names: list[str] | None) -> list[str]:
        """`labels` of a task with these training rows. Raises InputError where they leave nothing to learn."""

    def check_row(self, row: Row, *, labels: list[str]) -> None:
        """Raises InputError for a row, of any split, that a model of these labels can never get right."""

    def check_split(self, rows: list[Row]) -> None:
        """Raises InputError for rows whose labels cannot tell a good model from a bad one."""


class TaskEncoding(Protocol):
    """encoding.py: from rows to token ids, and from logits to predictions. It imports neither torch nor pyarrow."""

    def to_row(self, request: Any, *, tokenizer: Tokenizer) -> Row:
        """A row without labels, of what a user asks a model. Raises InputError for what is no such question."""

    # *_ beside **encoding leaves a kind free to name its own options: "any further arguments" to a type checker.
    def encode(
        self, rows: list[Row], *_: Any, tokenizer: Tokenizer, labels: list[str], **encoding: Any
    ) -> list[Feature]:
        """Features with at least `row`, the row's index, `input_ids` and `token_type_ids`. `encoding`: of Encoding."""

    def decode(
        self, logits: Logits, *_: Any, features: list[Feature], rows: list[Row], labels: list[str], **decoding: Any
    ) -> list[Prediction]:
        """One prediction for each row, from one array of logits without padding for each feature, [C] or [L, C]."""

    def results(
        self, logits: Logits, *_: Any, features: list[Feature], rows: list[Row], labels: list[str], **decoding: Any
    ) -> list[dict[str, Any]]:
        """What a user is told of each row of `to_row`: the prediction, with probabilities and places."""

    def class_logits(self, logits: Logits, *, features: list[Feature]) -> tuple[np.ndarray, np.ndarray] | None:
        """Logits [N, C] and gold class [N] of all that gets one of the classes; None for a kind without classes."""


class TaskModel(Protocol):
    """model.py: head, batches and losses."""

    @property
    def HEAD(self) -> type:
        """The class of Transformers by which a user loads a finished model."""

    @property
    def OF_LAST_PIECE(self) -> tuple[int, ...]:
        """Columns of logits [L, C] that speak of the word that ends at a token; the others of one that begins there."""

    def build(self, checkpoint: str | Path, *, labels: list[str], seed: int) -> BertPreTrainedModel:
        """The BERT in a local folder with a head for these labels; a missing head is drawn from `seed`."""

    def collate(self, features: list[Feature], *, pad_token_id: int) -> dict[str, Tensor]:
        """A batch: MODEL_INPUTS [B, L], the gold labels, and `teacher_logits` where the features carry them."""

    def logits(self, outputs: Any) -> Tensor:
        """Logits from the model's outputs: [B, C], or [B, L, C] for a kind that predicts at each token."""

    def counts(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Over how many examples the losses "hard" and "soft" are means, scalars."""

    def hard_loss(self, logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The loss to the gold labels, over the rows that have some, 0 without any; padding does not change it."""

    def soft_loss(self, logits: Tensor, batch: dict[str, Tensor], *, temperature: float) -> Tensor:
        """The loss to the batch's `teacher_logits`, a scalar that padding does not change."""


class TaskMetrics(Protocol):
    """metrics.py: scores, the trivial baseline, and what a person reads of predictions."""

    @property
    def NAMES(self) -> tuple[str, ...]:
        """The metrics that may be a task's `metric`: higher is better."""

    @property
    def PIPELINE_TAG(self) -> str:
        """What the hub calls such a task."""

    def baseline(self, train_rows: list[Row], rows: list[Row]) -> list[Prediction]:
        """A trivial prediction for each row, made from the gold labels of the training rows."""

    def row_statistics(self, predictions: list[Prediction], rows: list[Row], *, labels: list[str]) -> np.ndarray:
        """What the metrics need to know of each row, [N, ...]."""

    def reduce(self, statistics: np.ndarray, counts_BN: np.ndarray, *, labels: list[str]) -> dict[str, np.ndarray]:
        """Every metric [B], where row n counts counts_BN[b, n] times (float). One undefined for `labels` is absent."""

    def confusion(self, predictions: list[Prediction], rows: list[Row], *, labels: list[str]) -> list[list[int]]:
        """Counts by gold class, then by predicted class, in the order of confusion_labels; [] without classes."""

    def confusion_labels(self, labels: list[str]) -> list[str]:
        """The classes of the confusion matrix."""

    def mistakes(
        self, predictions: list[Prediction], rows: list[Row], *, logits: list[Any], labels: list[str]
    ) -> list[float]:
        """How wrong each prediction is; 0 where it is right."""

    def text(self, row: Row) -> str:
        """The row's input as text."""

    def gold(self, row: Row) -> str:
        """The row's gold label as text."""

    def shown(self, prediction: Prediction, row: Row) -> str:
        """The row's prediction as text."""


def scores(
    metrics: TaskMetrics, predictions: list[Prediction], rows: list[Row], *, labels: list[str]
) -> dict[str, float]:
    """Every metric that is defined for these labels."""
    return scores_from(metrics, metrics.row_statistics(predictions, rows, labels=labels), labels=labels)


def scores_from(metrics: TaskMetrics, statistics: np.ndarray, *, labels: list[str]) -> dict[str, float]:
    """The same from row statistics, which each count once."""
    reduced = metrics.reduce(statistics, np.ones((1, len(statistics))), labels=labels)
    return {name: float(score_B[0]) for name, score_B in reduced.items()}
