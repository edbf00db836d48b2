"""From rows to predictions to scores, with one model of one task."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from stages.parameters.task import Scored
from stages.pipeline.errors import InputError
from stages.tasks.tables import read_labels, read_rows
from stages.training.prediction import predict


@dataclass(frozen=True)
class Encoded:
    rows: list[dict]
    features: list[dict]


class Scorer:
    """Encodes rows and measures models on them. `kind` is a module of stages.tasks, `metrics` of stages.metrics."""

    def __init__(
        self, kind: Any, metrics: Any, *, tokenizer: Any, labels: list[str] | None, encoding: dict[str, Any],
        decoding: dict[str, Any], accelerator: Any,
    ) -> None:  # fmt: skip
        self.kind, self.metrics, self.labels = kind, metrics, labels
        self._tokenizer, self._encoding, self._decoding, self._accelerator = tokenizer, encoding, decoding, accelerator

    @classmethod
    def of(cls, task: Scored, *, data: Path, tokenizer: Any, accelerator: Any) -> "Scorer":
        """For the rows in `data`, a folder that `prepare_task` wrote."""
        kind, metrics = (import_module(f"stages.{room}.{task.kind}") for room in ("tasks", "metrics"))
        return cls(kind, metrics, tokenizer=tokenizer, labels=read_labels(data), encoding=task.encoding,
                   decoding=task.decoding, accelerator=accelerator)  # fmt: skip

    def read(self, data: Path, split: str) -> Encoded:
        rows = read_rows(data, split)
        return Encoded(rows, self.kind.encode(rows, tokenizer=self._tokenizer, labels=self.labels, **self._encoding))

    def logits(self, model: Any, features: list[dict]) -> list[Any]:
        pad = self._tokenizer.pad_token_id
        return predict(model, features, self.kind, pad_token_id=pad, accelerator=self._accelerator)

    def decode(self, logits: list[Any], data: Encoded) -> list[Any]:
        """A prediction for each row: a label, a number, a list of tags or an answer."""
        return self.kind.decode(logits, features=data.features, rows=data.rows, labels=self.labels, **self._decoding)

    def scores(self, model: Any, data: Encoded) -> dict[str, float]:
        predictions = self.decode(self.logits(model, data.features), data)
        return self.metrics.scores(predictions, data.rows, labels=self.labels)

    def require(self, metric: str, rows: list[dict]) -> None:
        """Raise InputError if `metric` is not defined for a task with these labels, before anything is trained."""
        defined = self.metrics.scores(self.metrics.baseline(rows, rows), rows, labels=self.labels)
        if metric not in defined:
            count = len(self.labels or [])
            raise InputError(
                f"metric {metric!r} is not defined for {count} labels; wanted is one of {', '.join(defined)}"
            )
