"""JSON, tab-separated tables and text, written whole or not at all, with the same bytes for the same content."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tinybert.atomic import atomic_file
from tinybert.errors import InputError


def read_object(file: Path) -> dict[str, Any]:
    """Read one JSON object. Raises InputError where `file` holds anything else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no JSON object")
    return content


def write_json(file: Path, content: Any) -> None:
    """Write JSON with sorted keys, an indent of two and a final newline. NaN and infinity are refused."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(file, text + "\n")


def write_text(file: Path, text: str) -> None:
    """Write text; its line endings are kept."""
    with atomic_file(file) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def write_curve(file: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write a training curve: tab-separated, one column for each key of any row, empty where a row lacks it."""
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["step"]
    lines = ["\t".join(columns)] + ["\t".join(str(row.get(name, "")) for name in columns) for row in rows]
    write_text(file, "\n".join(lines) + "\n")


def read_table(file: Path) -> list[dict[str, str]]:
    """Read a tab-separated table with a header line."""
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def write_table(file: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write a tab-separated table with a header line; a value that holds a tab or a line end is quoted."""
    with atomic_file(file) as partial, open(partial, "w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, columns, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
