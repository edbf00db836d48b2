"""Model cards, as the hub reads them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.utils import logging

from benchmarks.clones import ENVIRONMENT
from stages.parameters.tasks import Splits, resolve
from stages.report import Parameters
from tests.readme import command
from tests.tinybert.reporting.finished import evaluated
from tests.tinybert.reporting.test_results import results
from tinybert.reporting.card import card
from tinybert.reporting.onnx_card import onnx_card
from tinybert.reporting.results import headline

HUB: dict[str, str | None] = {"name": "glue/sst2", "repository": "nyu-mll/glue", "revision": "0" * 40}


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.set_verbosity_error()


def student_card(
    source: dict[str, str | None], *, student: str = "small", on_corpus: bool = True, on_task: bool = True,
    has_int8: bool = True,
) -> ModelCard:  # fmt: skip
    """The card of one of two students."""
    metrics, models = evaluated("library", "accuracy", student=student), headline(results("small", "tiny"))
    return ModelCard(
        card("library", student, metric="accuracy", evaluated=metrics, models=models, source=source, split="test",
             max_length=128, length=64, on_corpus=on_corpus, on_task=on_task, has_int8=has_int8, has_pipeline=True)
    )  # fmt: skip


def test_its_header_has_task_data_and_scores() -> None:
    header: Any = student_card(HUB).data
    assert (header.model_name, header.pipeline_tag) == ("library-small", "text-classification")
    assert (header.library_name, header.license) == ("transformers", "unknown")
    assert (header.datasets, header.metrics) == (["nyu-mll/glue"], ["accuracy"])
    (accuracy,) = [result for result in header.eval_results or [] if result.metric_type == "accuracy"]
    assert (accuracy.metric_value, accuracy.dataset_revision) == (0.69, "0" * 40)
    assert accuracy.dataset_type == "nyu-mll/glue"


def test_its_text_has_sizes_scores_with_intervals_usage_and_training() -> None:
    text = student_card(HUB).text
    assert "| small | 0.690 | 0.660 to 0.720 | 0.710 | 1,520,130 | 56,623,104 | 6,090,000 |" in text
    assert "| baseline | 0.220 | 0.190 to 0.250 | 0.240 | - | - | - |" in text
    assert "| tfidf | 0.610 |" in text and "`tfidf` a\nlogistic regression" in text
    assert "| small_int8 | 0.081 | 1.618 | 0.023 |" in text
    assert "AutoModelForSequenceClassification.from_pretrained(folder)" in text
    assert "per sequence of 64 tokens" in text
    assert "{{" not in text
    assert 'pipeline("text-classification", "NAME")' in text and "`onnx/model_quantized.onnx`" in text
    assert "no int8 file" in student_card(HUB, has_int8=False).text
    assert "then distilled from its teacher on unlabelled text and on this task." in text
    assert "then fine-tuned on this task's labels." in student_card(HUB, on_corpus=False, on_task=False).text


def test_each_student_has_a_card_with_its_own_models_and_scores() -> None:
    tiny = student_card(HUB, student="tiny")
    header: Any = tiny.data
    assert "| tiny_int8 | 0.488 |" in tiny.text and "small" not in tiny.text
    assert {result.metric_value for result in header.eval_results or []} == {0.49, 0.245}


def test_the_card_of_onnx_files_has_scores_and_sizes_and_is_read_by_the_hub() -> None:
    int8 = {"variant": "all", "torch": 0.64519, "int8": 0.65, "drop_at_least": -0.01, "accepted": True}
    export = {"metric": "f1", "max_logit_diff": 2e-6, "int8": [int8]}
    sizes = {"model.onnx": 6_100_000, "model_int8.onnx": 1_720_000}
    contents = {"model.onnx": "float32, standard operators", "model_int8.onnx": "int8"}
    shown = ModelCard(onnx_card("entities-small", export, sizes=sizes, contents=contents, rows=1000))
    assert shown.data.to_dict()["library_name"] == "onnx"
    assert "on the 1000 validation rows" in shown.text
    assert "| `model.onnx` | 0.6452 | 6,100,000 | float32, standard operators |" in shown.text
    assert "| `model_int8.onnx` | 0.6500 | 1,720,000 |" in shown.text
    assert "differed by at most 2e-06" in shown.text


def test_local_data_is_named_without_a_repository() -> None:
    shown = student_card({"name": "reviews", "repository": None, "revision": None})
    assert "datasets" not in shown.data.to_dict()
    assert "evaluated on `reviews`." in shown.text


def test_the_readmes_command_for_publishing_is_the_hubs(tmp_path: Path) -> None:
    upload = command("hf upload NAME models/release")
    (tmp_path / upload[3]).mkdir(parents=True)
    (tmp_path / upload[3] / "config.json").write_text("a file")
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_none", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(upload, cwd=tmp_path, env=ENVIRONMENT | nowhere, capture_output=True, text=True)
    assert (done.returncode, "ConnectError" in done.stderr) == (1, True), done.stderr


def test_repository_revision_and_split_of_the_data_are_those_of_params_yaml(parameters: Parameters) -> None:
    options = {"repository": "nyu-mll/glue", "type": "dataset", "revision": "0" * 40}
    source = parameters.sources["documentation"].model_copy(update={"kind": "hub", "options": options})

    def origin(path: str, **splits: Any) -> dict[str, Any]:
        task = parameters.tasks["library"]
        data = task.data.model_copy(update={"source": path, "splits": Splits(**splits)})
        return resolve(task.model_copy(update={"data": data}), parameters.finetuning, {"glue": source})["origin"][
            "origin"
        ]

    assert origin("data/raw/glue/sst2", test="dev") == HUB | {"split": "dev"}
    local = {"name": "mine.csv", "split": "0.1 of train", "repository": None, "revision": None}
    assert origin("data/raw/mine.csv", test=0.1) == local
