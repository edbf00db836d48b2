"""From rows to predictions to scores, with one model of one task."""

from dataclasses import dataclass
from typing import Any

from stages.pipeline.errors import InputError
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
        self._kind, self._metrics, self._tokenizer, self._labels = kind, metrics, tokenizer, labels
        self._encoding, self._decoding, self._accelerator = encoding, decoding, accelerator

    def encode(self, rows: list[dict]) -> list[dict]:
        return self._kind.encode(rows, tokenizer=self._tokenizer, labels=self._labels, **self._encoding)

    def load(self, rows: list[dict]) -> Encoded:
        return Encoded(rows, self.encode(rows))

    def logits(self, model: Any, features: list[dict]) -> list[Any]:
        pad = self._tokenizer.pad_token_id
        return predict(model, features, self._kind, pad_token_id=pad, accelerator=self._accelerator)

    def predictions(self, model: Any, data: Encoded) -> list[Any]:
        """One for each row: a label, a number, a list of tags or an answer."""
        logits = self.logits(model, data.features)
        return self._kind.decode(logits, features=data.features, rows=data.rows, labels=self._labels, **self._decoding)

    def scores(self, model: Any, data: Encoded) -> dict[str, float]:
        return self._metrics.scores(self.predictions(model, data), data.rows, labels=self._labels)

    def require(self, metric: str, rows: list[dict]) -> None:
        """Raise InputError if `metric` is not defined for a task with these labels, before anything is trained."""
        defined = self._metrics.scores(self._metrics.baseline(rows, rows), rows, labels=self._labels)
        if metric not in defined:
            count = len(self._labels or [])
            raise InputError(
                f"metric {metric!r} is not defined for {count} labels; wanted is one of {', '.join(defined)}"
            )
