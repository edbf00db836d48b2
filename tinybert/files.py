"""JSON files and tab-separated tables, written with the same bytes for the same content."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

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
    file.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_curve(file: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write a training curve: tab-separated, one column for each key of any row, empty where a row lacks it."""
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["step"]
    lines = ["\t".join(columns)] + ["\t".join(str(row.get(name, "")) for name in columns) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def read_table(file: Path) -> list[dict[str, str]]:
    """Read a tab-separated table with a header line."""
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def write_table(file: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write a tab-separated table with a header line; a value that holds a tab or a line end is quoted."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, columns, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
