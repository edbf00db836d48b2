"""How long each stage took when it last ran here: a note beside the outputs, which no stage reads."""

import json
from pathlib import Path

from tinybert.files import write_json


def record(folder: Path, stage: str, *, seconds: float, resumed: bool) -> None:
    """Write the note of one stage, in place of its last; `resumed` says that an earlier process had done a part."""
    write_json(folder / f"{stage}.json", {"resumed": resumed, "seconds": round(seconds, 1)})


def read(folder: Path) -> dict[str, dict]:
    """The notes by stage."""
    files = sorted(folder.glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
