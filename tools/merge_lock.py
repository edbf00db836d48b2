"""Merge three versions of dvc.lock stage by stage: git's merge driver for it, set up as docs/team.md says.

A line-wise merge can put one side's inputs beside the other side's outputs, which DVC then believes. Here every entry
of the result is an entry of one side, as that side's run recorded it. Where both sides ran a stage, ours is taken;
`dvc repro --pull` then takes or makes what belongs to the merged code and parameters.
"""

import sys
from pathlib import Path
from typing import Any

from tinybert.errors import InputError
from tools.lock import Lock, load, save

USAGE = "usage: python -m tools.merge_lock BASE OURS THEIRS; the result is written to OURS, as git wants it"


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(USAGE)
    ours = Path(sys.argv[2])
    try:
        merged, both = merge(*(load(Path(file)) for file in sys.argv[1:]))
        save(ours, merged)
    except InputError as error:
        sys.exit(f"ERROR: {error}; {ours.name} is left as it was")
    if both:
        print(f"dvc.lock: run on both sides, and ours is kept: {', '.join(both)}", file=sys.stderr)
    print("dvc.lock is merged by stage; now run `dvc repro --pull --allow-missing`", file=sys.stderr)


def merge(base: Lock, ours: Lock, theirs: Lock) -> tuple[Lock, list[str]]:
    """The merged lock, which is `ours` changed, and the stages that both sides changed in different ways."""
    names = [*ours["stages"], *(name for name in theirs["stages"] if name not in ours["stages"])]
    sides = {name: tuple(side["stages"].get(name) for side in (base, ours, theirs)) for name in names}
    entries = {name: entry for name, versions in sides.items() if (entry := _pick(*versions)) is not None}
    ours["stages"] = entries
    return ours, [name for name, (old, mine, other) in sides.items() if mine != old != other != mine]


def _pick(base: Any, ours: Any, theirs: Any) -> Any:
    """The entry of the side that changed it, which may be none; ours where both did."""
    return theirs if ours == base else ours


if __name__ == "__main__":
    main()
