"""params.yaml, the presets and requirements.txt agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from tests.architecture.project import ROOT

FILES = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_valid(file: Path) -> None:
    whole, tasks = validate_whole(read_file(file))
    assert set(tasks) == set(whole.tasks)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_packages_have_the_versions_of_requirements(file: Path) -> None:
    pinned = requirements()
    for source in read_file(file)["sources"].values():
        for package, version in source["options"].get("packages", {}).items():
            assert pinned[normal(package)] == version, package


def test_every_line_of_requirements_pins_a_version_and_no_package_is_there_twice() -> None:
    lines = requirement_lines()
    assert [line for line in lines if line.count("==") != 1 or set(line) & set(" <>~!*;[")] == []
    assert len(requirements()) == len(lines)


def test_the_quick_preset_has_the_keys_of_the_default() -> None:
    default, quick = (set(keys(read_file(ROOT / name))) for name in ("params.yaml", "presets/quick.yaml"))
    assert quick == default


def requirement_lines() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def requirements() -> dict[str, str]:
    pairs = (line.split("==") for line in requirement_lines())
    return {normal(name): version for name, version in pairs}


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def keys(tree: Any, *path: str) -> Iterator[str]:
    """The path of every value, without the names of packages and what a task overrides."""
    for key, value in tree.items():
        if path[:1] == ("tasks",) and key in ("encoding", "decoding", "teacher", "teaching", "student"):
            continue
        if isinstance(value, dict) and key != "packages":
            yield from keys(value, *path, key)
        yield ".".join((*path, key))
