"""What stage evaluate composes of predictions: metrics.json and findings.json."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from stages.evaluate import ERRORS_OF, MODELS, Parameters, calibrate, evaluate, find, main, measure
from stages.pipeline.stage import Run
from tests.tiny_bert import CONFIG
from tests.tinybert.tasks.samples import CASES, ROWS, Sample, sample
from tinybert.data.tokenizer import build_tokenizer, save_tokenizer
from tinybert.evaluation.comparison import SHOWN
from tinybert.finetuning.predict import Encoded
from tinybert.model import checkpoint
from tinybert.pruning.vocabulary import reduce_tokenizer
from tinybert.tasks.classification import encoding as classification_encoding
from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.classification import model as classification_model
from tinybert.tasks.classification import rows as classification_rows
from tinybert.tasks.protocol import scores
from tinybert.tasks.regression import encoding as regression_encoding
from tinybert.tasks.tables import write_labels, write_rows

PREDICTED = ("baseline", *MODELS)


def compose(case: str) -> tuple[Sample, dict[str, list]]:
    """Rows, and predictions of each model: those of other seeds are as good as chance."""
    return sample(case, 0), {name: sample(case, seed).predictions for seed, name in enumerate(PREDICTED)}


@pytest.mark.parametrize(("case", "metric"), dict(CASES).items())
def test_every_model_has_all_scores_and_its_metric_is_compared_with_the_teachers(case: str, metric: str) -> None:
    data, predictions = compose(case)
    measured = measure(predictions, data.rows, metrics=data.metrics, metric=metric, labels=data.labels)
    assert measured["rows"] == ROWS
    assert measured["scores"].keys() == measured["compared"].keys() == set(PREDICTED)
    for name, model_predictions in predictions.items():
        expected = scores(data.metrics, model_predictions, data.rows, labels=data.labels)
        assert measured["scores"][name] == {key: round(score, 5) for key, score in expected.items()}
        assert measured["compared"][name]["score"] == pytest.approx(expected[metric], abs=1e-5)
    others = {name for name, row in measured["compared"].items() if "difference" in row}
    assert others == set(PREDICTED) - {"teacher"}


@pytest.mark.parametrize("case", ["classification", "ner", "qa", "regression"])
def test_each_of_the_models_has_a_confusion_matrix_and_the_worst_errors_are_the_students(case: str) -> None:
    data, predictions = compose(case)
    mistakes = [float(row % 5) for row in range(ROWS)]
    findings = find(predictions, data.rows, mistakes=mistakes, metrics=data.metrics, labels=data.labels)
    assert findings["errors_of"] == ERRORS_OF == "student"
    classes, counts = findings["confusion"]["labels"], findings["confusion"]["counts"]
    assert classes == data.metrics.confusion_labels(data.labels) and tuple(counts) == MODELS
    for name, matrix in counts.items():
        assert matrix == data.metrics.confusion(predictions[name], data.rows, labels=data.labels)
        assert len(matrix) == len(classes) and all(len(row) == len(classes) for row in matrix)
    if case == "classification":
        assert all(sum(map(sum, matrix)) == ROWS for matrix in counts.values())
    worst = [row for row in range(ROWS) if row % 5 == 4] + [row for row in range(ROWS) if row % 5 == 3]
    expected = [data.metrics.text(data.rows[row]) for row in worst[:SHOWN]]
    assert [error["text"] for error in findings["errors"]] == expected
    assert all(tuple(error["predictions"]) == PREDICTED for error in findings["errors"])


LABELS = ["no", "yes"]


class Stub:
    """What `evaluate` asks of a Scorer, for classification; a feature is its label."""

    task, coding = classification_model, classification_encoding
    metrics, labels = classification, LABELS

    def decode(self, logits: list[np.ndarray], data: Encoded) -> list[str]:
        return classification_encoding.decode(logits, features=data.features, rows=data.rows, labels=LABELS)


def split(*gold: int) -> Encoded:
    rows = [{"text": f"row {n}", "text_pair": None, "label": LABELS[label]} for n, label in enumerate(gold)]
    return Encoded(rows, [{"row": n, "label": label} for n, label in enumerate(gold)])


def saying(*labels: int, logit: float = 2.0) -> list[np.ndarray]:
    return [np.array([logit * (label == 0), logit * (label == 1)], np.float32) for label in labels]


def test_validation_scores_are_of_validation_rows_and_test_scores_of_test_rows() -> None:
    splits = {"validation": split(0, 1, 1, 0), "test": split(1, 1, 0, 0, 1)}
    right = {"validation": (0, 1, 1, 0), "test": (1, 1, 0, 0, 1)}
    wrong = {"validation": (0, 1, 1, 1), "test": (1, 1, 1, 1, 1)}
    made = {"teacher": right, "student": wrong, "student_int8": {**wrong, "validation": (1, 0, 0, 1)}}
    logits = {part: {model: saying(*each[part]) for model, each in made.items()} for part in splits}
    encoded: dict[str, dict[str, Encoded]] = {model: splits for model in MODELS}
    documents, predictions = evaluate(logits, encoded, scorer=cast(Any, Stub()), metric="accuracy")
    measured, findings = documents["metrics.json"], documents["findings.json"]
    expected = {"validation": (1.0, 0.75, 0.0), "scores": (1.0, 0.6, 0.6)}
    for table, scored in expected.items():
        assert [measured[table][model]["accuracy"] for model in MODELS] == [*scored]
    assert [measured["compared"][model]["score"] for model in MODELS] == [*expected["scores"]]
    assert (measured["rows"], predictions["student"]) == (5, ["yes"] * 5)
    assert findings["calibration"] == calibrate(logits, encoded, coding=classification_encoding)
    assert findings["calibration"]["student"]["temperature"] == pytest.approx(2 / np.log(3), abs=1e-4)  # 3 of 4 right


def test_a_kind_without_classes_has_no_calibration() -> None:
    splits = {part: Encoded([], [{"row": 0, "label": 0.5}]) for part in ("validation", "test")}
    logits = {part: {"teacher": [np.array([0.25])]} for part in splits}
    assert calibrate(logits, {"teacher": splits}, coding=regression_encoding) == {}


def test_a_teacher_and_a_student_of_another_vocabulary_each_read_their_own_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = [f"w{n}" for n in range(CONFIG["vocab_size"] - 5)]
    teacher, student = two_vocabularies(words, unused=20)
    monkeypatch.chdir(tmp_path)
    models, data = Path("models/tasks/t"), Path("data/tasks/t")
    for place, (model, tokenizer) in {"teacher": teacher, "students/s": student}.items():
        checkpoint.save(model, models / place)
        save_tokenizer(tokenizer, folder=models / place)
    data.mkdir(parents=True)
    for part, offset in (("validation", 0), ("test", 1)):
        texts = [" ".join(words[n + offset : n + 9]) for n in range(20, 60)]
        rows = [{"text": text, "text_pair": None, "label": LABELS[n % 2]} for n, text in enumerate(texts)]
        write_rows(data / f"{part}.parquet", rows, classification_rows.SCHEMA)
    write_labels(data, LABELS)
    task = {"kind": "classification", "metric": "accuracy", "encoding": {"max_length": 16}, "decoding": {}}
    compute = {"threads": 1, "precision": "float32"}
    main(Parameters.model_validate({"compute": compute, "task": task}), Run("t-s", tmp_path / "resume"))
    report = Path("reports/tasks/t/students/s")
    predicted = pq.read_table(report / "predictions.parquet").to_pydict()
    assert predicted["teacher"] == predicted["student"] and set(predicted["teacher"]) == set(LABELS)
    measured = json.loads((report / "metrics.json").read_text())
    for table in (measured["scores"], measured["validation"]):
        assert table["teacher"] == table["student"]


def two_vocabularies(words: list[str], *, unused: int) -> tuple[Any, Any]:
    """Models and tokenizers of one function: the second has no entries for the first `unused` words."""
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    tokenizer = build_tokenizer(entries, lowercase=True, max_length=40)
    kept = [*range(5), *range(5 + unused, len(entries))]
    torch.manual_seed(3)
    teacher = BertForSequenceClassification(BertConfig.from_dict(CONFIG | {"initializer_range": 0.2}))
    student = BertForSequenceClassification(BertConfig.from_dict(teacher.config.to_dict() | {"vocab_size": len(kept)}))
    weights, table = teacher.state_dict(), "bert.embeddings.word_embeddings.weight"
    student.load_state_dict(weights | {table: weights[table][kept]})
    return (teacher, tokenizer), (student, reduce_tokenizer(tokenizer, kept))
