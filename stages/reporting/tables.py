"""Numbers on disk, the same bytes for the same numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_json(file: Path, content: Any) -> None:
    """Keys sorted, two spaces, a line end at the end."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    file.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_curve(file: Path, rows: Sequence[dict[str, float]]) -> None:
    """A table that `dvc plots` reads: tab-separated, a column for each key, empty where a row has none."""
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["step"]
    lines = ["\t".join(columns)] + ["\t".join(str(row.get(name, "")) for name in columns) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
