from pathlib import Path

import pytest

from tests.pipeline_runs.clone import clone, run


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the project as it stands, the quick preset run through."""
    folder = clone(tmp_path_factory.mktemp("quick") / "a clone")
    run(folder, "dvc", "repro")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=A", "-c", "user.email=a@b.invalid", "commit", "-qm", "quick")
    return folder
