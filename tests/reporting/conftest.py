from pathlib import Path

import pytest

from stages import report
from stages.pipeline.parameters import read_file
from stages.pipeline.stage import Run
from stages.report import Parameters
from tests.reporting.finished import finish

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def parameters() -> Parameters:
    return Parameters.model_validate(read_file(ROOT / "params.yaml"))


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory, parameters: Parameters) -> Path:
    """A folder in which the report has run too, on hostile labels and texts, with sizes and times."""
    folder = tmp_path_factory.mktemp("reported")
    finish(folder, parameters)
    make_report(folder, parameters)
    return folder


def make_report(folder: Path, parameters: Parameters) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report.main(parameters, Run("", folder / "resume"))
