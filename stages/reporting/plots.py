"""Tables that `dvc plots` reads."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_table(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def write_table(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Tab-separated, quoted where a label holds a tab or a line end. No rows, no file: `dvc plots` fails at one."""
    if not rows:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, list(rows[0]), delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
