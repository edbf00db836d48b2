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
from stages.export import _compare, _judged, _max_logit_diff, _of_all_lengths, _require_close
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
    "export": {"max_logit_diff": 0.01, "max_metric_drop": 0.05, "strict": False},
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


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *int8: Mapping[str, float], strict: bool = False
) -> dict[str, Any]:
    """export.json, where PyTorch scores 0.9 on every split and the variants of int8 what `int8` says, one by one."""
    split_of: dict[int, str] = {}
    scripts = iter(int8)

    class Scripted(Scorer):
        def read(self, split: str) -> Encoded:
            data = super().read(split)
            split_of[id(data)] = split
            return data

    def scripted(scorer: Any, models: Any, data: Encoded, *, metric: str) -> dict[str, Any]:
        assert isinstance(models["int8"], OnnxModel)
        return compared(0.9, next(scripts)[split_of[id(data)]])

    monkeypatch.chdir(folder)
    monkeypatch.setattr(export, "Scorer", Scripted)
    monkeypatch.setattr(export, "_compare", scripted)
    parameters = PARAMETERS | {"export": PARAMETERS["export"] | {"strict": strict}}
    export.main(export.Parameters.model_validate(parameters), Run("t-s", folder / "resume"))
    return json.loads(Path("models/tasks/t/onnx/s/export.json").read_text())


BAD, GOOD = {"validation": 0.8, "test": 0.9}, {"validation": 0.88, "test": 0.2}


def test_the_first_variant_that_keeps_the_validation_score_is_written_whatever_it_scores_on_test(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for tried in ([GOOD], [BAD, GOOD], [BAD, BAD, GOOD]):
        facts = run(student, monkeypatch, *tried)["int8"]
        assert [one["variant"] for one in facts] == ["all", "mixed", "weights"][: len(tried)]
        assert [one["accepted"] for one in facts] == [one is GOOD for one in tried]
        assert (facts[-1]["torch"], facts[-1]["int8"]) == (0.9, 0.88)
        folder = student / "models/tasks/t/onnx/s"
        assert "on the 9 validation rows" in (folder / "README.md").read_text()
        assert "`model_int8.onnx`" in (folder / "README.md").read_text()
        sizes.append((folder / "model_int8.onnx").stat().st_size)
    assert sizes[0] < sizes[1] and sizes[2] < (student / "models/tasks/t/onnx/s/model.onnx").stat().st_size


def test_where_no_variant_keeps_the_score_there_is_no_int8_file_and_the_card_says_why(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = run(student, monkeypatch, BAD, BAD, BAD)
    folder = student / "models/tasks/t/onnx/s"
    assert [one["drop_at_least"] for one in facts["int8"]] == [0.1] * 3
    assert (folder / "model.onnx").exists() and not (folder / "model_int8.onnx").exists()
    card = (folder / "README.md").read_text()
    assert "There is no int8 file" in card and "| weights | 0.8000 | 0.1000 |" in card
    assert 'InferenceSession("model.onnx")' in card


def test_strict_fails_where_no_variant_keeps_the_score(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted((student / "models/tasks/t/onnx").glob("*/*"))
    with pytest.raises(InputError) as caught:
        run(student, monkeypatch, BAD, BAD, BAD, strict=True)
    assert str(caught.value) == (
        "params.yaml: export.max_metric_drop: expected accuracy of the int8 ONNX model on validation at most 0.05 "
        "below PyTorch's, got 0.8000 and 0.9000 with the best of 3 variants, a drop of at least 0.1000 with 95 % "
        "confidence; export.strict: false goes on without int8"
    )
    assert sorted((student / "models/tasks/t/onnx").glob("*/*")) == before


def test_a_score_that_falls_by_more_than_the_limit_or_is_not_a_number_is_refused() -> None:
    def accepted(*scores: float, at_most: float, noise: float = 0.0) -> bool:
        return _judged("all", compared(*scores, noise=noise), at_most=at_most)["accepted"]

    assert accepted(0.9, 0.8950, at_most=0.01)
    assert accepted(0.9, 0.95, at_most=0.0)
    assert accepted(0.9, 0.86, noise=0.03, at_most=0.0101)
    assert not accepted(0.9, 0.86, noise=0.025, at_most=0.01)
    assert not accepted(0.9, float("nan"), at_most=0.01)


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
