"""A finished model, asked for predictions: `Predictor("models/tasks/library/onnx/small")(["a text", "another"])`.

It takes onnxruntime, tokenizers and numpy where the folder has an ONNX file. C classes, L length.
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from tokenizers import Tokenizer

from tinybert.data.length_batches import batches_by_length
from tinybert.errors import InputError, explain
from tinybert.files import read_object
from tinybert.inference.networks import Network, Precision, open_network
from tinybert.tasks.protocol import Feature, Logits, TaskEncoding

KINDS = {"BertForTokenClassification": "ner", "BertForQuestionAnswering": "qa"}
PROBLEMS = {
    "regression": "regression", "single_label_classification": "classification",
    "multi_label_classification": "multilabel",
}  # fmt: skip
DECODING = {
    "multilabel": {"threshold": 0.5, "thresholds": {}}, "qa": {"max_answer_length": 30, "unanswerable": False}
}  # fmt: skip
"""By kind, for a model that was not made by this pipeline."""
DEFAULT_LABELS = {"0": "LABEL_0", "1": "LABEL_1"}
"""What Transformers leaves out of config.json."""
DOC_STRIDE = 128
REQUESTS = 1024
"""Read before their predictions are made, so that those of equal length go together."""


class Predictor:
    """The model in a folder with config.json, tokenizer.json and weights: ONNX or safetensors.

    kind: classification, multilabel, regression, ner or qa; labels: its classes. Of `precision` and `threads` see
    `open_network`. Raises InputError where the folder holds no such model.
    """

    def __init__(self, folder: str | Path, *, precision: Precision | None = None, threads: int | None = None) -> None:
        folder = Path(folder)
        for name in ("config.json", "tokenizer.json"):
            if not (folder / name).is_file():
                raise InputError(f"{folder} is no model folder: it has no {name}")
        config = read_object(folder / "config.json")
        self.kind, self._encoding, self._decoding = _task(config, folder)
        self.labels = [] if self.kind in ("qa", "regression") else _labels(config)
        self._coding = cast(TaskEncoding, import_module(f"tinybert.tasks.{self.kind}.encoding"))
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self._network = open_network(folder, precision=precision, threads=threads)
        self._pad = config.get("pad_token_id") or 0

    def __call__(self, requests: Iterable[Any]) -> list[dict[str, Any]]:
        """One result for each request, in their order.

        A request is a text, or a dict of `text` and `text_pair` where the task is on pairs; of `question` and `context`
        for qa; of `words` for ner where a text is in words already. A result holds, by kind: `label`, its probability
        `score`, and `scores` of all labels; `labels` and `scores`; `score`, the number; `entities`, each with text,
        type, score, start and end in characters, and `tags` by word; `answer`, `score`, `start` and `end`. Texts are
        read as in training: what is longer than the task's length is cut, or for ner and qa read in windows. Raises
        InputError, with the number of the request, for one of another form.
        """
        return [*self.stream(requests)]

    def stream(self, requests: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """The same for requests without an end, of which REQUESTS are in memory at once."""
        remaining, start = iter(requests), 1
        while some := [*islice(remaining, REQUESTS)]:
            rows = [self._row(request, number) for number, request in enumerate(some, start)]
            yield from self._results(rows)
            start += len(some)

    def _row(self, request: Any, number: int) -> dict[str, Any]:
        try:
            return self._coding.to_row(request, tokenizer=self._tokenizer)
        except InputError as error:
            raise InputError(f"request {number}: {error}") from None

    def _results(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        features = self._coding.encode(rows, tokenizer=self._tokenizer, labels=self.labels, **self._encoding)
        logits = predict(self._network, features, kind=self.kind, pad_token_id=self._pad)
        return self._coding.results(logits, features=features, rows=rows, labels=self.labels, **self._decoding)


def predict(network: Network, features: list[Feature], *, kind: str, pad_token_id: int) -> Logits:
    """Logits of each feature, without padding, in the features' order: [C], or [L, C] of a kind with one per token."""
    lengths = [len(feature["input_ids"]) for feature in features]
    logits: dict[int, np.ndarray] = {}
    for numbers in batches_by_length(lengths):
        outputs = network(_padded([features[n] for n in numbers], pad_token_id))
        scores = outputs["logits"] if kind != "qa" else np.stack([outputs["start_logits"], outputs["end_logits"]], -1)
        for n, row in zip(numbers, scores, strict=True):
            logits[n] = row[: lengths[n]] if row.ndim > 1 else row
    return [logits[n] for n in range(len(features))]


def _padded(features: list[Feature], pad_token_id: int) -> dict[str, np.ndarray]:
    shape = len(features), max(len(feature["input_ids"]) for feature in features)
    fills = {"input_ids": pad_token_id, "token_type_ids": 0, "attention_mask": 0}
    inputs = {name: np.full(shape, fill, dtype=np.int64) for name, fill in fills.items()}
    for row, feature in enumerate(features):
        length = len(feature["input_ids"])
        for name in ("input_ids", "token_type_ids"):
            inputs[name][row, :length] = feature[name]
        inputs["attention_mask"][row, :length] = 1
    return inputs


def _tokenizer(file: Path) -> Tokenizer:
    """The tokenizer, without truncation and padding."""
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises this very class, whatever is wrong with the file
        if explain(error):
            raise
        raise InputError(f"{file} cannot be read as a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _task(config: dict[str, Any], folder: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Kind, encoding and decoding: what the pipeline wrote into config.json, or what follows from the architecture."""
    if task := config.get("tinybert"):
        return task["kind"], task["encoding"], task["decoding"]
    architecture: str = (config.get("architectures") or ["unnamed"])[0]
    kind = KINDS.get(architecture)
    if architecture == "BertForSequenceClassification":
        one = len(config.get("id2label") or DEFAULT_LABELS) == 1
        kind = PROBLEMS.get(config.get("problem_type") or ("regression" if one else "single_label_classification"))
    if kind is None:
        expected = ", ".join((*KINDS, "BertForSequenceClassification"))
        got = f"{architecture!r} with problem_type {config.get('problem_type')!r}"
        raise InputError(f"{folder}/config.json: architectures is {got}, expected one of {expected}")
    length = config["max_position_embeddings"]
    strides = {"doc_stride": min(DOC_STRIDE, length // 4)} if kind == "qa" else {}
    return kind, {"max_length": length, **strides}, DECODING.get(kind, {})


def _labels(config: dict[str, Any]) -> list[str]:
    names = config.get("id2label") or DEFAULT_LABELS
    return [names[key] for key in sorted(names, key=int)]
