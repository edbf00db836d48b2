"""Figures by machine: the tables of a benchmark's page have a column for each machine that it was run on.

`benchmarks/machines.json` keeps the cells of all tables; a run replaces those of its own machine.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from benchmarks.clones import ROOT
from benchmarks.throughput import set_up_cpu
from tinybert.training.devices import describe

FILE = ROOT / "benchmarks/machines.json"


@cache
def this_machine() -> str:
    found = describe(set_up_cpu())
    processor = f"{found['processor']} ({found['instructions']})"
    return f"{processor}, {found['threads']} threads, torch {found['packages']['torch']}"


def table(name: str, cells: Mapping[str, str], *, head: str) -> str:
    """Keep the cells that were measured here, by row, and return the table of this name with those of all machines.

    The name of a row fills as many columns as `head`, both with " | " between.
    """
    kept = read()
    if this_machine() not in kept["machines"]:
        kept["machines"].append(this_machine())
    tables = kept["tables"].setdefault(name, {})
    tables[str(kept["machines"].index(this_machine()))] = dict(cells)
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return "\n".join(lines(tables, head=head))


def lines(tables: Mapping[str, Mapping[str, str]], *, head: str) -> list[str]:
    """A table of the cells of each machine, by its number, in Markdown."""
    numbers = sorted(tables, key=int)
    rows = dict.fromkeys(row for number in numbers for row in tables[number])
    ruler = "|---" * (head.count("|") + 1 + len(numbers)) + "|"
    body = [f"| {row} | " + " | ".join(tables[n].get(row, "-") for n in numbers) + " |" for row in rows]
    return [f"| {head} | " + " | ".join(map(letter, numbers)) + " |", ruler, *body]


def legend(*names: str) -> str:
    """What the letters stand for that are columns in tables of these names."""
    kept = read()
    numbers = sorted({number for name in names for number in kept["tables"].get(name, {})}, key=int)
    return "\n".join(f"- {letter(number)}: {kept['machines'][int(number)]}" for number in numbers)


def letter(number: str) -> str:
    return chr(ord("A") + int(number))


def read() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"machines": [], "tables": {}}
