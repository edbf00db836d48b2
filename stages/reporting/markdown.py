"""Cards as the Hugging Face hub wants them: Markdown under a head in YAML."""

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.reporting.formats import FILTERS

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
ENVIRONMENT.filters |= FILTERS


def under_head(head: ModelCardData, template: str, **content: Any) -> str:
    """The card that `template` in this folder makes of `content`."""
    body = ENVIRONMENT.get_template(template).render(**content)
    return f"---\n{head.to_yaml(line_break=chr(10))}\n---\n\n{body}\n"
