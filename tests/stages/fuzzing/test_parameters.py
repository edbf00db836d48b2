"""params.yaml spoilt at random is either valid or refused in one message."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.parameters.whole import validate_whole
from stages.pipeline.validation import read_file
from tests.stages.fuzzing.mutations import spoilt_bytes, spoilt_tree
from tinybert.errors import InputError

ROOT = Path(__file__).parents[3]
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


def check(file: Path) -> None:
    """Valid or refused in one clear message; the numbers of a valid task are all there."""
    try:
        whole, tasks = validate_whole(read_file(file))
    except InputError as error:
        assert str(error).startswith(("params.yaml is not valid:", f"{file} is not YAML", f"{file}: expected sections"))
        assert len(str(error)) < 20_000
    else:
        assert all(set(tasks[name]) == {"data", "encoding", "teacher", "student"} for name in whole.tasks)


@MANY
@given(st.sampled_from(TREES).flatmap(spoilt_tree))
def test_spoilt_values_are_valid_or_refused(folder: Path, tree: dict[str, Any]):
    YAML(typ="safe").dump(tree, folder / "params.yaml")
    check(folder / "params.yaml")


@MANY
@given(st.sampled_from(FILES).flatmap(lambda file: spoilt_bytes(file.read_bytes())))
def test_spoilt_bytes_are_valid_or_refused(folder: Path, content: bytes):
    (folder / "params.yaml").write_bytes(content)
    check(folder / "params.yaml")
