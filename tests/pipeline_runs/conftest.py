import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def project(quick: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished project, for tests that leave it as it was."""
    return shutil.copytree(quick, tmp_path_factory.mktemp("project") / "a clone", symlinks=True)


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The finished project, for a test that changes it."""
    return shutil.copytree(project, tmp_path / "copy", symlinks=True)
