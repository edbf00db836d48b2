"""Two copies of the project in which everything seems to have run."""

from collections.abc import Iterator

import pytest
from dvc.repo.add import add

from tests.architecture.project import Project, every_kind, params_yaml, yaml_read_once


@pytest.fixture(scope="package")
def default(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project as it is."""
    with yaml_read_once():
        project = Project(tmp_path_factory.mktemp("default") / "project", params_yaml())
        project.pretend()
        yield project


@pytest.fixture(scope="package")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project with a task and a source of each kind, and data from `dvc add`."""
    with yaml_read_once():
        project = Project(tmp_path_factory.mktemp("own") / "project", every_kind())
        for name in ("mine", "checkpoint", "ratings.csv", "topics.csv"):
            project.fake(project.folder / "data/raw" / name)
            add(project.repo, str(project.folder / "data/raw" / name))
        project.pretend()
        yield project
