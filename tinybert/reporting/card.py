"""Model card of a student in the format of the Hugging Face hub."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from tinybert.reporting.onnx_card import LICENSE, with_header
from tinybert.reporting.results import FLOORS, model_name

TRAINING = {
    (True, True): "distilled from its teacher on unlabelled text and on this task",
    (True, False): "distilled from its teacher on unlabelled text and fine-tuned on this task's labels",
    (False, True): "distilled from its teacher on this task",
    (False, False): "fine-tuned on this task's labels",
}
"""By whether a student was distilled on the corpus and on the task."""


def card(
    task: str, student: str, *, metric: str, evaluated: Mapping[str, Any], models: Mapping[str, Any],
    source: Mapping[str, str | None], split: str, max_length: int, length: int, on_corpus: bool, on_task: bool,
    has_int8: bool, has_pipeline: bool,
) -> str:  # fmt: skip
    """The card of a task's student.

    `evaluated` is the metrics.json of this student, `models` the headline numbers of all models of the task. `source`
    has the name of the data set, and its repository and revision where it is one of the hub. Multiply-adds are of
    `length` tokens. `on_corpus` and `on_task` say where the student was distilled, `has_int8`
    whether there is an int8 file, and `has_pipeline` whether stock pipelines understand the model's output.
    """
    name, hub = f"{task}-{student}", evaluated["hub"]
    own = {*FLOORS, *(model_name(model, student) for model in evaluated["compared"])}
    results = [
        EvalResult(task_type=hub["pipeline_tag"], dataset_type=source["repository"] or "local",
                   dataset_name=str(source["name"]), dataset_split=split, dataset_revision=source["revision"],
                   metric_type=score, metric_value=value)
        for score, value in evaluated["scores"]["student"].items()
    ]  # fmt: skip
    header = ModelCardData(
        model_name=name, library_name="transformers", pipeline_tag=hub["pipeline_tag"], license=LICENSE,
        tags=["bert", "distillation"] if on_corpus or on_task else ["bert"],
        datasets=[source["repository"]] if source["repository"] else None, metrics=[metric], eval_results=results,
    )  # fmt: skip
    return with_header(
        header, "card.md", name=name, student=student, metric=metric, hub=hub, rows=evaluated["rows"],
        models={model: row for model, row in models.items() if model in own}, source=source, split=split,
        max_length=max_length, length=length, training=TRAINING[on_corpus, on_task], has_int8=has_int8,
        has_pipeline=has_pipeline,
    )  # fmt: skip
