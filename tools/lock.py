"""dvc.lock as a file: what DVC recorded for each stage when it last ran."""

import io
import os
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tinybert.errors import InputError

FILE = Path("dvc.lock")
Lock = dict[str, Any]


def parse(text: str, *, name: str) -> Lock:
    """The text of a dvc.lock, in DVC's own order; an empty one has no stages. Raises InputError for anything else."""
    try:
        content = YAML().load(text) or {}
    except YAMLError as error:
        raise InputError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not isinstance(content.setdefault("stages", {}), dict):
        raise InputError(f"{name} is not a dvc.lock: it has no stages")
    return content


def load(file: Path) -> Lock:
    try:
        return parse(file.read_text(encoding="utf-8"), name=str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def save(file: Path, lock: Lock) -> None:
    """Write it as DVC does, whole or not at all."""
    writer = YAML()
    writer.default_flow_style = False
    text = io.StringIO()
    writer.dump(lock, text)
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text.getvalue(), encoding="utf-8", newline="\n")
    os.replace(partial, file)
