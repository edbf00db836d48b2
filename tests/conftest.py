from pathlib import Path

import pytest

from tests.pipeline_runs.clone import finished


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the project as it stands, the quick preset run through and committed. Tests work in a copy of it."""
    return finished(tmp_path_factory.mktemp("quick") / "a clone")
