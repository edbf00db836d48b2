"""params.yaml spoilt at random: `check` either passes it or says what is wrong, and writes nothing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages import check
from stages.parameters.whole import Whole
from stages.pipeline.errors import InputError
from stages.pipeline.parameters import read_file
from stages.pipeline.stage import Run
from tests.fuzzing.mutations import spoilt_bytes, spoilt_tree

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]
TREES = [read_file(file) for file in FILES]
MANY = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=True,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def checked(folder: Path) -> None:
    """Passed or refused in one clear message; whoever passes has every value of the right type."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        try:
            check.main(check.Parameters.model_validate({}), Run("", Path("resume")))
        except InputError as error:
            assert str(error).startswith("params.yaml ") and len(str(error)) < 20_000
            assert not (folder / "data").exists()
        else:
            Whole.model_validate(read_file(Path("params.yaml")))
            (folder / "data/checked").unlink()
            (folder / "data").rmdir()


@MANY
@given(st.sampled_from(TREES).flatmap(spoilt_tree))
def test_spoilt_values_are_passed_or_refused(folder: Path, tree: dict[str, Any]):
    YAML(typ="safe").dump(tree, folder / "params.yaml")
    checked(folder)


@MANY
@given(st.sampled_from(FILES).flatmap(lambda file: spoilt_bytes(file.read_bytes())))
def test_spoilt_bytes_are_passed_or_refused(folder: Path, content: bytes):
    (folder / "params.yaml").write_bytes(content)
    checked(folder)
