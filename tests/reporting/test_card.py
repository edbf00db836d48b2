"""Model cards as the hub reads them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.utils import logging

from stages.report import Parameters, _source
from stages.reporting.card import card
from stages.reporting.onnx_card import onnx_card
from stages.reporting.summary import headline
from tests.pipeline_runs.clone import ENVIRONMENT
from tests.readme import command
from tests.reporting.finished import BENCHMARK, evaluated

HUB: dict[str, str | None] = {"name": "glue/sst2", "repository": "nyu-mll/glue", "revision": "0" * 40}


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.set_verbosity_error()


def made(source: dict[str, str | None], *, on_corpus: bool = True, on_task: bool = True) -> ModelCard:
    found = evaluated("library", "accuracy")
    models = headline(found, BENCHMARK["models"], metric="accuracy")
    return ModelCard(
        card("library", metric="accuracy", found=found, models=models, source=source, split="test", max_length=128,
             length=64, on_corpus=on_corpus, on_task=on_task)
    )  # fmt: skip


def test_its_head_says_task_data_and_scores() -> None:
    head: Any = made(HUB).data
    assert (head.pipeline_tag, head.library_name, head.license) == ("text-classification", "transformers", "unknown")
    assert head.datasets == ["nyu-mll/glue"]
    assert head.metrics == ["accuracy"]
    results = {result.metric_type: result for result in head.eval_results or []}
    assert (results["accuracy"].metric_value, results["accuracy"].dataset_revision) == (0.69, "0" * 40)
    assert results["accuracy"].dataset_type == "nyu-mll/glue"


def test_its_text_has_sizes_and_scores_with_ranges_and_how_to_load_it() -> None:
    text = made(HUB).text
    assert "| student | 0.690 | 0.660 to 0.720 | 1,520,130 | 56,623,104 | 6,090,000 |" in text
    assert "| baseline | 0.220 | 0.190 to 0.250 | - | - | - |" in text
    assert "AutoModelForSequenceClassification.from_pretrained(folder)" in text
    assert "one text of 64 tokens" in text
    assert "{{" not in text


def test_its_text_says_where_the_student_imitated_its_teacher() -> None:
    assert "removed, then it imitated its teacher on plain text and on this task." in made(HUB).text
    assert "then it learnt this task from its labels alone." in made(HUB, on_corpus=False, on_task=False).text


def test_the_card_of_onnx_files_has_scores_and_sizes_and_is_read_by_the_hub() -> None:
    exported = {"metric": "f1", "largest_difference": 2e-6, "scores": {"torch": 0.64519, "int8": 0.65}}
    sizes = {"model.onnx": 6_100_000, "model_int8.onnx": 1_720_000}
    shown = ModelCard(onnx_card("entities", exported, sizes=sizes, rows=1000))
    assert shown.data.to_dict()["library_name"] == "onnx"
    assert "| `model.onnx` | 0.6452 | 6,100,000 | float32, standard operators |" in shown.text
    assert "| `model_int8.onnx` | 0.6500 | 1,720,000 |" in shown.text
    assert "differed by 2e-06 at most" in shown.text


def test_data_that_is_not_of_the_hub_is_named_and_nothing_more() -> None:
    shown = made({"name": "reviews", "repository": None, "revision": None})
    assert "datasets" not in shown.data.to_dict()
    assert "measured on `reviews`." in shown.text


def test_every_task_has_one(reported: Path, parameters: Parameters) -> None:
    cards = sorted((reported / "reports/cards").glob("*/README.md"))
    assert [file.parent.name for file in cards] == sorted(parameters.tasks)


@pytest.mark.parametrize("place", ["models/tasks", "reports/cards"])
def test_the_readmes_words_for_publishing_are_those_of_the_hubs_command(place: str, tmp_path: Path) -> None:
    words = command(f"hf upload NAME {place}")
    (tmp_path / words[3]).parent.mkdir(parents=True)
    (tmp_path / words[3]).write_text("a file")
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_none", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT | nowhere, capture_output=True, text=True)
    assert (done.returncode, "ConnectError" in done.stderr) == (1, True), done.stderr


def test_where_on_the_hub_data_is_from_is_what_params_yaml_says(parameters: Parameters) -> None:
    options = {"repository": "nyu-mll/glue", "type": "dataset", "revision": "0" * 40}
    source = parameters.sources["documentation"].model_copy(update={"kind": "hub", "options": options})
    changed = parameters.model_copy(update={"sources": {"glue": source}})
    assert _source(changed, "data/raw/glue/sst2") == HUB
    assert _source(changed, "data/raw/mine.csv") == {"name": "mine.csv", "repository": None, "revision": None}
