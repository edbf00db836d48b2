"""A pipeline of the shape of ours whose stages take milliseconds: two tasks, and a report on both."""

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.sharing.team import shell

WORK = """\
import os, sys
task = os.environ["DVC_STAGE"].partition("@")[2]
for out in sys.argv[1:]:
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out, "w") as file:
        file.write(open("params.yaml").read().partition(f"{task}:")[2].split()[1] if task else "{}")
"""
DVC = {
    "stages": {
        "prepare": {
            "foreach": "${tasks}",
            "do": {
                "cmd": "python work.py data/tasks/${key}/rows",
                "deps": ["work.py"],
                "params": ["tasks.${key}.rows"],
                "outs": ["data/tasks/${key}"],
            },
        },
        "evaluate": {
            "foreach": "${tasks}",
            "do": {
                "cmd": "python work.py reports/tasks/${key}/score.json",
                "deps": ["data/tasks/${key}"],
                "outs": ["reports/tasks/${key}/score.json"],
            },
        },
        "report": {
            "cmd": "python work.py reports/metrics.json",
            "deps": ["reports/tasks"],
            "params": ["tasks"],
            "metrics": [{"reports/metrics.json": {"cache": False}}],
        },
    }
}
PARAMETERS = {"tasks": {"red": {"rows": 1}, "blue": {"rows": 2}}}
IGNORED = "/data/tasks/?*\n!/data/tasks/*.dvc\n/reports/tasks\n"


def make(folder: Path) -> Path:
    """The pipeline, run and committed."""
    folder.mkdir(parents=True)
    shell(folder, "git init -q -b main; dvc init -q; dvc config core.analytics false; dvc remote add -d team ../team")
    write(folder, "dvc.yaml", DVC)
    write(folder, "params.yaml", PARAMETERS)
    (folder / "work.py").write_text(WORK)
    (folder / ".gitignore").write_text(IGNORED)
    (folder / ".gitattributes").write_bytes((Path(__file__).parents[2] / ".gitattributes").read_bytes())
    shell(folder, "dvc repro; git add -A; git commit -qm pipeline")
    return folder


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    with open(folder / name, "w", encoding="utf-8") as file:
        YAML().dump(content, file)


def read(folder: Path, name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((folder / name).read_text(encoding="utf-8"))


@contextmanager
def edited(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """A YAML file of the folder, to be changed."""
    content = read(folder, name)
    yield content
    write(folder, name, content)


def call(module: Any, folder: Path, *arguments: str) -> None:
    """Run one of our tools in the folder; a refusal is raised as SystemExit."""
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [module.__name__, *arguments])
        module.main()


def files(folder: Path) -> dict[str, bytes]:
    """All files but those of git and DVC themselves."""
    found: dict[str, bytes] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".git", ".dvc")]
        found |= {os.path.relpath(os.path.join(place, name), folder): Path(place, name).read_bytes() for name in names}
    return found
