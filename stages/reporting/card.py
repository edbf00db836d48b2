"""A model card in the format of the Hugging Face hub: a head in YAML, and what a reader wants to know."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from stages.reporting.markdown import under_head

LICENSE = "unknown"
"""The hub's word for it: whoever publishes the model knows under what terms its texts may be used."""

LEARNING = {
    (True, True): "imitated its teacher on plain text and on this task",
    (True, False): "imitated its teacher on plain text, and learnt this task from its labels alone",
    (False, True): "imitated its teacher on this task",
    (False, False): "learnt this task from its labels alone",
}
"""What a student did on the corpus and on the task."""


def card(
    task: str,
    *,
    metric: str,
    found: Mapping[str, Any],
    models: Mapping[str, Any],
    source: Mapping[str, str | None],
    split: str,
    max_length: int,
    length: int,
    on_corpus: bool,
    on_task: bool,
) -> str:
    """The card of a task's student.

    `found` is what evaluate wrote, `models` the headline numbers. `source` has the name of the data set, and its
    repository and revision where it is one of the hub. Multiply-adds are of `length` tokens. `on_corpus` and `on_task`
    say where the student imitated its teacher.
    """
    results = [
        EvalResult(
            task_type=found["hub"]["pipeline_tag"],
            dataset_type=source["repository"] or "local",
            dataset_name=str(source["name"]),
            dataset_split=split,
            dataset_revision=source["revision"],
            metric_type=name,
            metric_value=value,
        )
        for name, value in found["scores"]["student"].items()
    ]
    head = ModelCardData(
        model_name=task,
        library_name="transformers",
        pipeline_tag=found["hub"]["pipeline_tag"],
        license=LICENSE,
        tags=["bert", "distillation"],
        datasets=[source["repository"]] if source["repository"] else None,
        metrics=[metric],
        eval_results=results,
    )
    return under_head(
        head, "card.md", task=task, metric=metric, found=found, models=models, source=source, split=split,
        max_length=max_length, length=length, learning=LEARNING[on_corpus, on_task],
    )  # fmt: skip
