import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def project(quick: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished project, for tests that change it and change it back."""
    return shutil.copytree(quick, tmp_path_factory.mktemp("project") / "a clone", symlinks=True)
