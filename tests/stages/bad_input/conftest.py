"""A project with the code and parameters of this one, in which nothing has run."""

import shutil
from pathlib import Path

import pytest

from benchmarks.clones import ROOT
from stages.pipeline.closure import PACKAGES
from tests.stages.bad_input.project import start


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "project"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    start(folder, "git", "init", "--quiet").check_returncode()
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "project")
