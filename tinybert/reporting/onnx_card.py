"""Model card of a folder with ONNX files in the format of the Hugging Face hub."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelCardData

from tinybert.export.runtime import FLOAT32_FILE, INT8_FILE
from tinybert.reporting.formats import with_header

CONTENTS = {
    FLOAT32_FILE: "float32, standard operators",
    INT8_FILE: "int8 per channel, fused attention, for onnxruntime on CPUs",
}


def onnx_card(name: str, export: Mapping[str, Any], *, sizes: Mapping[str, int], rows: int) -> str:
    """The card of the exported model `name`. `export` is its export.json, `sizes` are bytes by file."""
    header = ModelCardData(
        model_name=name, library_name="onnx", license="unknown", tags=["bert", "onnx"], metrics=[export["metric"]]
    )
    scores = {FLOAT32_FILE: export["scores"]["torch"], INT8_FILE: export["scores"]["int8"]}
    return with_header(
        header, "onnx_card.md", name=name, metric=export["metric"], scores=scores, sizes=sizes, contents=CONTENTS,
        rows=rows, max_logit_diff=export["max_logit_diff"],
    )  # fmt: skip
