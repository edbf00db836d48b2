"""Tables that `dvc plots` reads."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def read_table(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def write_table(file: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Tab-separated, quoted where a label holds a tab or a line end; of no rows the head alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, columns, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
