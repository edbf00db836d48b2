"""dvc.yaml gives each stage exactly the parameters that the script's model has, and the models change no value."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from dvc.dependency import ParamsDependency
from pydantic import BaseModel

from stages.parameters.section import Section
from stages.parameters.whole import Whole
from stages.pipeline.parameters import read_file
from tests.architecture.closure import ROOT
from tests.architecture.project import Project

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's own use of pygtrie

Leaf = tuple[str, ...]
MANY = {"source": "sources", "task": "tasks"}


@pytest.mark.parametrize("project", ["default", "own"])
def test_every_stage_declares_the_parameters_that_its_model_has(project: str, request: pytest.FixtureRequest) -> None:
    copy: Project = request.getfixturevalue(project)
    stages = set(copy.stages()) - {"check"}
    declared = {stage: declared_leaves(copy, stage) for stage in stages}
    assert declared == {stage: set(model_leaves(copy, stage)) for stage in stages}


def test_the_check_reads_the_file_and_declares_no_parameter(default: Project) -> None:
    assert not declared_leaves(default, "check")
    assert "params.yaml" in {Path(dep.fs_path).name for dep in default.stages()["check"].deps}


def declared_leaves(project: Project, stage: str) -> set[Leaf]:
    """The paths of all values in params.yaml under what dvc.yaml lists for the stage."""
    params = [dep for dep in project.stages()[stage].deps if isinstance(dep, ParamsDependency)]
    paths = [tuple(path.split(".")) for dep in params for path in dep.params]
    return {leaf for path in paths for leaf in leaves(project.parameters, path)}


def model_leaves(project: Project, stage: str) -> Iterator[Leaf]:
    """The same for the fields of the script's model; a field that the file lacks is its own leaf."""
    script, _, key = stage.partition("@")
    for path in fields(import_module(f"stages.{script}").Parameters, project.parameters, key):
        yield from leaves(project.parameters, path)


def fields(model: type[BaseModel], given: Any, key: str) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        path = (MANY[name], key) if key and name in MANY else (name,)
        value = given
        for step in path:
            value = value[step] if isinstance(value, dict) and step in value else None
        inner: Any = next((part for part in (field.annotation, *get_args(field.annotation)) if is_model(part)), None)
        if inner is None or not isinstance(value, dict):
            yield path
        elif get_origin(field.annotation) is dict:
            yield from ((*path, entry, *rest) for entry in value for rest in fields(inner, value[entry], ""))
        else:
            yield from ((*path, *rest) for rest in fields(inner, value, ""))


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def leaves(tree: Any, path: Leaf) -> Iterator[Leaf]:
    """The paths of all values under `path`; `path` itself where it is one, is empty or is not there."""
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    if isinstance(tree, dict) and tree:
        yield from (leaf for key in tree for leaf in ((*path, *rest) for rest in leaves(tree, (key,))))
    else:
        yield path


def test_no_parameter_has_a_default() -> None:
    models = sections(Section)
    assert {Whole} < models
    assert not [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.is_required()
    ]


def sections(model: type[Section]) -> set[type[Section]]:
    return {model}.union(*(sections(child) for child in model.__subclasses__()))


@pytest.mark.parametrize(
    "file", [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))], ids=lambda f: f.stem
)
def test_what_the_models_accept_they_hand_on_unchanged(file: Path) -> None:
    given = read_file(file)
    assert Whole.model_validate(given).model_dump() == given
