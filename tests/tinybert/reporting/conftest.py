from pathlib import Path

import pytest

from stages import report
from stages.parameters.validation import read_file
from stages.pipeline.stage import Run
from stages.report import Parameters
from tests.tinybert.reporting.finished import finish

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def parameters() -> Parameters:
    return Parameters.model_validate(read_file(ROOT / "params.yaml"))


@pytest.fixture(scope="session")
def two_students(parameters: Parameters) -> Parameters:
    small = parameters.students["small"]
    return parameters.model_copy(update={"students": {"tiny": small, "small": small}})


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory, parameters: Parameters) -> Path:
    """A folder in which the report has run too, on hostile labels and texts, with sizes and latencies."""
    return finish_and_report(tmp_path_factory.mktemp("reported"), parameters)


@pytest.fixture(scope="session")
def reported_two(tmp_path_factory: pytest.TempPathFactory, two_students: Parameters) -> Path:
    return finish_and_report(tmp_path_factory.mktemp("reported_two"), two_students)


def finish_and_report(folder: Path, parameters: Parameters) -> Path:
    finish(folder, parameters)
    make_report(folder, parameters)
    return folder


def make_report(folder: Path, parameters: Parameters) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report.main(parameters, Run("", folder / "resume"))
