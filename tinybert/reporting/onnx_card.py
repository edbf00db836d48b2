"""Model card of a folder with ONNX files, and the hub's format of all cards: Markdown under a YAML header.

Nothing here needs the report's page, so that an edit of that re-runs no export.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tinybert.export.runtime import FLOAT32_FILE, INT8_FILE

LICENSE = "unknown"
"""The hub's word. Only the publisher of a model knows the terms of its training texts."""
ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def onnx_card(
    name: str, export: Mapping[str, Any], *, sizes: Mapping[str, int], contents: Mapping[str, str], rows: int
) -> str:
    """The card of the exported model `name`. `export` is its export.json; `sizes`, in bytes, and `contents` by file."""
    header = ModelCardData(
        model_name=name, library_name="onnx", license=LICENSE, tags=["bert", "onnx"], metrics=[export["metric"]]
    )
    last = export["int8"][-1]
    scores = {FLOAT32_FILE: last["torch"], INT8_FILE: last["int8"]}
    return with_header(
        header, "onnx_card.md", name=name, metric=export["metric"], scores=scores, sizes=sizes, contents=contents,
        rows=rows, tried=export["int8"], max_logit_diff=export["max_logit_diff"],
    )  # fmt: skip


def with_header(header: ModelCardData, template: str, **content: Any) -> str:
    """The card: `header` as YAML, then the Markdown that `template` in this folder makes of `content`."""
    body = ENVIRONMENT.get_template(template).render(**content)
    return f"---\n{header.to_yaml(line_break=chr(10))}\n---\n\n{body}\n"
