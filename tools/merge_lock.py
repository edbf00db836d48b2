"""Merge three versions of dvc.lock stage by stage: git's merge driver for it, set up as docs/team.md says.

A line-wise merge can put one side's inputs beside the other side's outputs, which DVC then believes. Here every entry
of the result is an entry of one side, as that side's run recorded it. Where both sides ran a stage, ours is taken;
`dvc repro --pull` then takes or makes what belongs to the merged code and parameters.
"""

import io
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tinybert.errors import InputError
from tinybert.files import write_text

FILE = Path("dvc.lock")
Lock = dict[str, Any]
"""What DVC recorded for each stage when it last ran, in DVC's own order."""
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
    """The merged lock, which is `ours` changed, and the stages that both sides changed in different ways.

    An entry is that of the side which changed it, which may be none.
    """
    names = dict.fromkeys([*ours["stages"], *theirs["stages"]])
    sides = {name: tuple(side["stages"].get(name) for side in (base, ours, theirs)) for name in names}
    entries = {name: other if mine == old else mine for name, (old, mine, other) in sides.items()}
    ours["stages"] = {name: entry for name, entry in entries.items() if entry is not None}
    return ours, [name for name, (old, mine, other) in sides.items() if mine != old != other != mine]


def load(file: Path) -> Lock:
    """Read a dvc.lock; an empty one has no stages. Raises InputError for anything else."""
    try:
        content = YAML().load(file.read_text(encoding="utf-8")) or {}
    except YAMLError as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.setdefault("stages", {}), dict):
        raise InputError(f"{file} is not a dvc.lock: it has no stages")
    return content


def save(file: Path, lock: Lock) -> None:
    """Write it as DVC does, whole or not at all."""
    writer = YAML()
    writer.default_flow_style = False
    text = io.StringIO()
    writer.dump(lock, text)
    write_text(file, text.getvalue())


if __name__ == "__main__":
    main()
