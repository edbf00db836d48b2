"""The checks of the stage export: float32 and int8 ONNX models against PyTorch, on the validation split alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForSequenceClassification

from stages import export
from stages.export import _compare, _max_logit_diff, _of_all_lengths, _require_close, _require_kept
from stages.pipeline.stage import Run
from tests.tiny_bert import CONFIG
from tinybert.data.tokenizer import build_tokenizer, save_tokenizer
from tinybert.errors import InputError
from tinybert.export.runtime import OnnxModel
from tinybert.finetuning.predict import Encoded, Scorer
from tinybert.model import checkpoint
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.tables import write_labels, write_rows

LABELS = ["no", "yes"]
PARAMETERS = {
    "compute": {"threads": 1, "precision": "float32"},
    "export": {"max_logit_diff": 0.01, "max_metric_drop": 0.05},
    "task": {"kind": "classification", "metric": "accuracy", "encoding": {"max_length": 16}, "decoding": {}},
}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier and its task's rows; the test split has fewer than the validation split."""
    folder = tmp_path_factory.mktemp("student")
    place, data = folder / "models/tasks/t/students/s", folder / "data/tasks/t"
    words = [f"w{n}" for n in range(CONFIG["vocab_size"] - 5)]
    tokenizer = build_tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words], lowercase=True, max_length=40)
    for new in (place, data):
        new.mkdir(parents=True)
    torch.manual_seed(3)
    checkpoint.save(BertForSequenceClassification(BertConfig.from_dict(CONFIG)), place)
    save_tokenizer(tokenizer, folder=place)
    for split, count in (("validation", 9), ("test", 5)):
        rows = [{"text": " ".join(words[: n + 1]), "text_pair": None, "label": LABELS[n % 2]} for n in range(count)]
        write_rows(data / f"{split}.parquet", rows, SCHEMA)
    write_labels(data, LABELS)
    return folder


def compared(torch: float, int8: float, *, noise: float = 0.0) -> dict[str, Any]:
    """What `compare` gives, with an interval of the difference that is as wide as the noise on both sides."""
    interval = [int8 - torch - noise, int8 - torch + noise]
    return {"torch": {"score": torch}, "int8": {"score": int8, "difference_interval": interval}}


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, int8: Mapping[str, float]) -> dict[str, Any]:
    """export.json, where PyTorch scores 0.9 on every split and the int8 model what `int8` says."""
    split_of: dict[int, str] = {}

    class Scripted(Scorer):
        def read(self, split: str) -> Encoded:
            data = super().read(split)
            split_of[id(data)] = split
            return data

    def scripted(scorer: Any, models: Any, data: Encoded, *, metric: str) -> dict[str, Any]:
        assert isinstance(models["int8"], OnnxModel)
        return compared(0.9, int8[split_of[id(data)]])

    monkeypatch.chdir(folder)
    monkeypatch.setattr(export, "Scorer", Scripted)
    monkeypatch.setattr(export, "_compare", scripted)
    export.main(export.Parameters.model_validate(PARAMETERS), Run("t-s", folder / "resume"))
    return json.loads(Path("models/tasks/t/onnx/s/export.json").read_text())


def test_an_int8_model_that_falls_on_validation_is_refused_whatever_it_scores_on_test(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="accuracy of the int8 ONNX model on validation .* got 0.8000 and 0.9000"):
        run(student, monkeypatch, {"validation": 0.8, "test": 0.9})
    assert not (student / "models/tasks/t/onnx/s").exists()


def test_one_that_falls_on_test_alone_is_accepted_with_its_score_on_validation(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(student, monkeypatch, {"validation": 0.88, "test": 0.2})["scores"] == {"torch": 0.9, "int8": 0.88}
    assert "on the 9 validation rows" in (student / "models/tasks/t/onnx/s/README.md").read_text()


def test_a_score_that_falls_by_more_than_the_limit_or_is_not_a_number_is_refused() -> None:
    _require_kept(compared(0.9, 0.8950), metric="accuracy", at_most=0.01)
    _require_kept(compared(0.9, 0.95), metric="accuracy", at_most=0.0)
    _require_kept(compared(0.9, 0.86, noise=0.03), metric="accuracy", at_most=0.0101)
    with pytest.raises(InputError) as caught:
        _require_kept(compared(0.9, 0.86, noise=0.025), metric="accuracy", at_most=0.01)
    assert str(caught.value) == (
        "params.yaml: export.max_metric_drop: expected accuracy of the int8 ONNX model on validation at most 0.01 "
        "below PyTorch's, got 0.8600 and 0.9000, a drop of at least 0.0150 with 95 % confidence"
    )
    with pytest.raises(InputError):
        _require_kept(compared(0.9, float("nan")), metric="pearson", at_most=0.01)


def test_pytorch_and_int8_are_compared_on_the_same_rows(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(student)
    scorer = Scorer("classification", data=Path("data/tasks/t"), checkpoint=Path("models/tasks/t/students/s"),
                    encoding={"max_length": 16}, decoding={}, accelerator=Accelerator(cpu=True))  # fmt: skip
    model = scorer.task.build("models/tasks/t/students/s", labels=LABELS, seed=0)
    data = scorer.read("validation")
    found = _compare(scorer, {"torch": model, "int8": model}, data, metric="accuracy")
    assert found["torch"]["score"] == round(scorer.scores(model, data)["accuracy"], 5)
    assert found["int8"]["difference_interval"] == [0.0, 0.0]


def test_a_difference_is_the_largest_over_inputs_of_any_shape() -> None:
    expected = [np.zeros(3), np.zeros((2, 3))]
    actual = [np.array([0.0, 0.1, 0.0]), np.array([[0.0, 0.0, 0.0], [0.0, -0.25, 0.2]])]
    assert _max_logit_diff(expected, actual) == 0.25
    _require_close(0.25, at_most=0.25)
    for difference in (0.26, float("nan")):
        with pytest.raises(InputError):
            _require_close(difference, at_most=0.25)


def test_inputs_from_the_shortest_to_the_longest_are_compared() -> None:
    features = [{"input_ids": [1] * n} for n in (7, 3, 50, 12)]
    assert [len(feature["input_ids"]) for feature in _of_all_lengths(features)] == [3, 7, 12, 50]
    many = [{"input_ids": [1] * (1 + n % 37)} for n in range(1000)]
    chosen = [len(feature["input_ids"]) for feature in _of_all_lengths(many)]
    assert len(chosen) == 100 and chosen[0] == 1 and chosen[-1] == 37 and chosen == sorted(chosen)
