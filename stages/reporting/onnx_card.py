"""The card of a folder with ONNX files, in the format of the Hugging Face hub."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelCardData

from stages.reporting.markdown import under_head
from stages.runtime.files import EXACT, SMALL

KINDS = {
    EXACT: "float32, standard operators",
    SMALL: "int8 by channel, attention fused, for onnxruntime on processors",
}


def onnx_card(task: str, exported: Mapping[str, Any], *, sizes: Mapping[str, int], rows: int) -> str:
    """The card of a task's student. `exported` is export.json, `sizes` are bytes by file, `rows` those of the test."""
    head = ModelCardData(
        model_name=task, library_name="onnx", license="unknown", tags=["bert", "onnx"], metrics=[exported["metric"]]
    )
    return under_head(
        head,
        "onnx_card.md",
        task=task,
        metric=exported["metric"],
        scores={EXACT: exported["scores"]["torch"], SMALL: exported["scores"]["int8"]},
        difference=exported["largest_difference"],
        sizes=sizes,
        kinds=KINDS,
        rows=rows,
    )
