"""How long each stage took when it last ran here: a note beside the outputs, which no stage reads."""

import json
import os
from pathlib import Path


def record(folder: Path, stage: str, *, seconds: float, resumed: bool) -> None:
    """Write the note of one stage, in place of its last; `resumed` says that an earlier process had done a part."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{stage}.partial"
    partial.write_text(json.dumps({"resumed": resumed, "seconds": round(seconds, 1)}) + "\n", encoding="utf-8")
    os.replace(partial, folder / f"{stage}.json")


def read(folder: Path) -> dict[str, dict]:
    """The notes by stage."""
    files = sorted(folder.glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
