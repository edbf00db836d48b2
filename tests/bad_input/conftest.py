"""A project with the code and parameters of this one, and nothing made yet but what says that check was passed."""

import shutil
from pathlib import Path

import pytest

from tests.bad_input.project import ROOT, start


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "project"
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    start(folder, "git", "init", "--quiet").check_returncode()
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "project")


@pytest.fixture
def checked(project: Path) -> Path:
    """The project when `check` has run."""
    (project / "data").mkdir()
    (project / "data/checked").touch()
    return project
