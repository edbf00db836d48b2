"""Model cards as the hub reads them."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.utils import logging

from stages.report import Parameters, _source
from stages.reporting.card import card
from stages.reporting.summary import headline
from tests.reporting.finished import BENCHMARK, evaluated

HUB: dict[str, str | None] = {"name": "glue/sst2", "repository": "nyu-mll/glue", "revision": "0" * 40}


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.set_verbosity_error()


def made(source: dict[str, str | None]) -> ModelCard:
    found = evaluated("library", "accuracy")
    models = headline(found, BENCHMARK["models"], metric="accuracy")
    return ModelCard(
        card("library", metric="accuracy", found=found, models=models, source=source, split="test", max_length=128)
    )


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
    assert "{{" not in text


def test_data_that_is_not_of_the_hub_is_named_and_nothing_more() -> None:
    shown = made({"name": "reviews", "repository": None, "revision": None})
    assert "datasets" not in shown.data.to_dict()
    assert "measured on `reviews`." in shown.text


def test_every_task_has_one_and_it_has_the_same_bytes_again(
    reported: Path, parameters: Parameters, tmp_path: Path
) -> None:
    cards = sorted((reported / "reports/cards").glob("*/README.md"))
    assert [file.parent.name for file in cards] == sorted(parameters.tasks)


def test_where_on_the_hub_data_is_from_is_what_params_yaml_says(parameters: Parameters) -> None:
    options = {"repository": "nyu-mll/glue", "type": "dataset", "revision": "0" * 40}
    source = parameters.sources["documentation"].model_copy(update={"kind": "hub", "options": options})
    changed = parameters.model_copy(update={"sources": {"glue": source}})
    assert _source(changed, "data/raw/glue/sst2") == HUB
    assert _source(changed, "data/raw/mine.csv") == {"name": "mine.csv", "repository": None, "revision": None}
