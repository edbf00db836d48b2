"""Predictions and scores of fine-tuned models on a task's rows."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from tinybert.data.length_batches import batches_by_length
from tinybert.data.tokenizer import load_tokenizer, special_id
from tinybert.errors import InputError
from tinybert.model.inputs import model_inputs
from tinybert.tasks import protocol
from tinybert.tasks.protocol import Feature, Prediction, Row, TaskEncoding, TaskMetrics, TaskModel
from tinybert.tasks.tables import read_labels, read_rows


class Network(Protocol):
    """A model of Transformers, or what stands in for one, such as tinybert.export.runtime.OnnxModel."""

    def eval(self) -> Any: ...

    def __call__(self, **inputs: torch.Tensor) -> Any: ...


def predict(
    model: Network, features: list[Feature], task: TaskModel, *, pad_token_id: int, accelerator: Accelerator
) -> list[np.ndarray]:
    """Logits of each feature in the features' order, without padding: [C], or [L, C] for a kind with one per token.

    The longest features come first, in batches with little padding; several processes take turns.
    """
    model.eval()
    lengths = [len(feature["input_ids"]) for feature in features]
    logits: dict[int, np.ndarray] = {}
    for numbers in batches_by_length(lengths)[accelerator.process_index :: accelerator.num_processes]:
        batch = task.collate([features[n] for n in numbers], pad_token_id=pad_token_id)
        batch = {name: tensor.to(accelerator.device) for name, tensor in model_inputs(batch).items()}
        with torch.inference_mode(), accelerator.autocast():
            batch_logits = task.logits(model(**batch)).float().cpu().numpy()
        for n, row in zip(numbers, batch_logits, strict=True):
            logits[n] = row[: lengths[n]].copy() if row.ndim > 1 else row
    return [row for _, row in sorted(gather_object([*logits.items()]))]


@dataclass(frozen=True)
class Encoded:
    """Rows of a split, and the features that they make."""

    rows: list[Row]
    features: list[Feature]


class Scorer:
    """Encodes the rows of one task, and scores models on them.

    `kind` is a folder of tinybert.tasks; `data` holds the prepared rows and labels, `checkpoint` the tokenizer;
    `encoding` and `decoding` hold every field of the kind's Encoding and Decoding.
    """

    def __init__(
        self, kind: str, *, data: Path, checkpoint: Path, encoding: dict[str, Any], decoding: dict[str, Any],
        accelerator: Accelerator,
    ) -> None:  # fmt: skip
        self.task = cast(TaskModel, import_module(f"tinybert.tasks.{kind}.model"))
        self.coding = cast(TaskEncoding, import_module(f"tinybert.tasks.{kind}.encoding"))
        self.metrics = cast(TaskMetrics, import_module(f"tinybert.tasks.{kind}.metrics"))
        self.labels, self.tokenizer = read_labels(data), load_tokenizer(checkpoint)
        self.pad_token_id = special_id(self.tokenizer, "pad")
        self._kind = kind
        self._data, self._encoding, self._decoding, self._accelerator = data, encoding, decoding, accelerator

    def read(self, split: str) -> Encoded:
        """A split of the task, encoded."""
        return self.encode(read_rows(self._data, split))

    def encode(self, rows: list[Row]) -> Encoded:
        """Rows of the task, labelled or not, encoded."""
        backend = self.tokenizer.backend_tokenizer
        return Encoded(rows, self.coding.encode(rows, tokenizer=backend, labels=self.labels, **self._encoding))

    def logits(self, model: Network, features: list[Feature]) -> list[np.ndarray]:
        """Of each feature, see `predict`."""
        return predict(model, features, self.task, pad_token_id=self.pad_token_id, accelerator=self._accelerator)

    def decode(self, logits: list[np.ndarray], data: Encoded) -> list[Prediction]:
        """A prediction for each row: a label, a number, a list of tags or an answer."""
        return self.coding.decode(logits, features=data.features, rows=data.rows, labels=self.labels, **self._decoding)

    def sign(self, model: Any) -> None:
        """Say in a model's config what using it takes: the kind of its task, and how texts are read and logits too."""
        model.config.tinybert = {"kind": self._kind, "encoding": self._encoding, "decoding": self._decoding}

    def scores(self, model: Network, data: Encoded) -> dict[str, float]:
        """Every metric that is defined for the task's labels."""
        predictions = self.decode(self.logits(model, data.features), data)
        return protocol.scores(self.metrics, predictions, data.rows, labels=self.labels)

    def require(self, metric: str, rows: list[Row]) -> None:
        """Raise InputError if `metric` or the decoding does not fit the task's labels, before anything is trained."""
        self.coding.decode([], features=[], rows=[], labels=self.labels, **self._decoding)
        baseline = self.metrics.baseline(rows, rows)
        defined = protocol.scores(self.metrics, baseline, rows, labels=self.labels)
        if metric not in defined:
            names = ", ".join(name for name in self.metrics.NAMES if name in defined)
            raise InputError(f"metric: expected one of {names} for {len(self.labels)} labels, got {metric!r}")
