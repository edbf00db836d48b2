"""dvc.yaml gives each stage exactly the parameters that the script's model has, and the plan resolves all tasks."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from dvc.dependency import ParamsDependency
from pydantic import BaseModel

from stages.parameters import sections
from stages.parameters.section import Section, task_metrics
from stages.parameters.sections import Distill, GeneralLosses, IntermediateLosses, Student
from stages.parameters.validation import read_file
from stages.parameters.whole import validate_whole
from stages.pipeline import plan
from tests.architecture.project import ROOT, Project, params_yaml
from tinybert.distillation.general import OF_THE_HEAD, distill
from tinybert.distillation.intermediate import LOSSES, RELATION_HEADS

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's own use of pygtrie

Leaf = tuple[str, ...]
SECTIONS = {"source": "sources", "student": "students"}
PART = {"data": "data", "metric": "encoding", "encoding": "encoding", "decoding": "encoding", "teacher": "teacher",
        "teaching": "teaching", "origin": "origin",
        "student": "student"}  # fmt: skip
"""The file of the plan that has a field of a task; `kind` is in two of them."""


@pytest.mark.parametrize("project", ["default", "own"])
def test_every_stage_declares_the_parameters_that_its_model_has(project: str, request: pytest.FixtureRequest) -> None:
    copy: Project = request.getfixturevalue(project)
    stages = set(copy.stages()) - {"plan"}
    declared = {stage: declared_leaves(copy, stage) for stage in stages}
    assert declared == {stage: set(model_leaves(copy, stage)) for stage in stages}


def test_every_stage_declares_the_files_of_the_plan_that_its_task_is_read_from(own: Project) -> None:
    for name, stage in own.stages().items():
        script, _, key = name.partition("@")
        fields = import_module(f"stages.{script}").Parameters.model_fields
        parts = (
            {PART[field] for field in fields["task"].annotation.model_fields if field != "kind"}
            if "task" in fields
            else set()
        )
        declared = {Path(dep.fs_path).relative_to(own.folder) for dep in stage.deps}
        files = {path for path in declared if path.is_relative_to(plan.TASKS) and path != plan.TASKS}
        assert files == {plan.TASKS / key.partition("-")[0] / f"{part}.json" for part in parts}, name


def test_the_plan_reads_the_file_and_declares_no_parameter(default: Project) -> None:
    assert not declared_leaves(default, "plan")


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
        if key and name == "task":
            continue
        path = (SECTIONS[name], key.rpartition("-")[2]) if key and name in SECTIONS else (name,)
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
    """The paths of all values under `path`; none of what is not there, which then has its default."""
    for step in path:
        if not isinstance(tree, dict) or step not in tree:
            return
        tree = tree[step]
    if isinstance(tree, dict) and tree:
        yield from (leaf for key in tree for leaf in ((*path, *rest) for rest in leaves(tree, (key,))))
    else:
        yield path


def test_a_task_that_overrides_nothing_has_the_defaults() -> None:
    given = params_yaml()
    library = given["tasks"]["library"]
    assert not library.keys() & {"teacher", "teaching", "student", "encoding", "decoding"}
    parts = validate_whole(given)[1]["library"]
    assert parts["teacher"]["teacher"] == given["finetuning"]["teacher"]
    assert parts["student"]["student"] == with_losses(given["finetuning"]["student"])
    assert parts["encoding"] == {
        "kind": "classification",
        "metric": "accuracy",
        "encoding": {"max_length": 128},
        "decoding": {},
    }


def with_losses(student: dict[str, Any]) -> dict[str, Any]:
    """With the losses that are left out said."""
    intermediate = student["intermediate"]
    losses = dict.fromkeys(LOSSES, 0.0) | {"relation_heads": RELATION_HEADS} | intermediate["losses"]
    return student | {"intermediate": intermediate | {"losses": losses}}


def test_a_task_overrides_single_keys_at_any_depth() -> None:
    given = params_yaml()
    given["tasks"]["library"]["student"] = {"prediction": {"epochs": 9}, "seed": 7}
    student = validate_whole(given)[1]["library"]["student"]["student"]
    default = with_losses(given["finetuning"]["student"])
    assert student == default | {"seed": 7, "prediction": default["prediction"] | {"epochs": 9}}


def test_a_section_that_stages_read_plainly_has_no_default_but_to_leave_a_loss_out() -> None:
    """A default that changes in the code would change outputs, and DVC sees the file alone.

    A loss that is left out stays out, and the number of relation heads is the library's, whose code DVC sees.
    """
    models = [model for model in vars(sections).values() if is_model(model) and model is not Section]
    assert {Distill, Student} < set(models)
    defaults = {name: field.default for model in models for name, field in model.model_fields.items()
                if not field.is_required()}  # fmt: skip
    assert defaults.pop("relation_heads") == inspect.signature(distill).parameters["relation_heads"].default
    assert defaults == dict.fromkeys(("standardized", "cosine", "patience", "relation", "hard"), 0.0)


def test_the_sections_have_the_losses_of_the_library() -> None:
    assert {*IntermediateLosses.model_fields} == {*LOSSES, "relation_heads"}
    assert {*GeneralLosses.model_fields} == {*LOSSES, *OF_THE_HEAD, "relation_heads"}


@pytest.mark.parametrize(
    "file", [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))], ids=lambda f: f.stem
)
def test_the_models_change_no_value_that_the_file_gives(file: Path) -> None:
    given = read_file(file)
    assert validate_whole(given)[0].model_dump(exclude_unset=True) == given


def test_the_documented_metrics_are_those_of_each_kind() -> None:
    text = (ROOT / "docs/data.md").read_text(encoding="utf-8").partition("## Kinds")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    documented = {kind.strip("`"): re.findall(r"`(\w+)`", metrics) for kind, _, metrics, _ in rows}
    assert documented == {kind: [*task_metrics(kind).NAMES] for kind in documented}
    assert set(documented) == {folder.parent.name for folder in (ROOT / "tinybert/tasks").glob("*/metrics.py")}
