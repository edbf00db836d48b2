"""Files that others have written as JSON."""

import json
from pathlib import Path
from typing import Any

from stages.pipeline.errors import InputError


def read_object(file: Path) -> dict[str, Any]:
    """What `file` says. Raises InputError where that is not one JSON object."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no JSON object")
    return content
