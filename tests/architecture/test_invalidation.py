"""A changed parameter, code file or data file runs the stages again that read it, and no other."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from stages.parameters.whole import Whole
from stages.pipeline.parameters import problems
from tests.architecture.closure import ROOT
from tests.architecture.project import Project, params_yaml
from tests.architecture.table import TABLE, expected, markdown, row_of

# DVC's own use of pygtrie.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

Path = tuple[str, ...]

OTHER = {
    "threads": 2,
    "precision": "bfloat16",
    "kind": {"documentation": "hub", "classification": "regression", "ner": "qa", "qa": "ner"},
    "metric": {"accuracy": "matthews", "f1": "exact_match"},
    "source": "presets",
    "max_documents": 1000,
    "keep_layers": "first",
    "teacher_layers": "last",
}
"""Another value where one made of the old one would not be allowed."""

PARAMETERS = params_yaml()
TASKS = list(PARAMETERS["tasks"])
FULL = "answers"
"""The task that is changed leaf by leaf: its kind has the most of them."""


def leaves(tree: Any, *path: str) -> Iterator[tuple[Path, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, *path, key)
        else:
            yield (*path, key), value


def other(path: Path, value: Any) -> Any:
    if path[-1] in OTHER:
        found = OTHER[path[-1]]
        return found[value] if isinstance(found, dict) else found
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return 2 * value
    if isinstance(value, list):
        return [*value, *value]
    if isinstance(value, float):
        return value / 2 if value else 0.5
    return "something_else" if value is None else f"{value}_2"


def with_other(path: Path) -> dict[str, Any]:
    """params.yaml with another value at `path`, one that is allowed there."""
    parameters = copy.deepcopy(PARAMETERS)
    section = parameters
    for step in path[:-1]:
        section = section[step]
    section[path[-1]] = other(path, section[path[-1]])
    assert parameters != PARAMETERS and not problems(Whole, parameters)
    return parameters


LEAVES = [path for path, value in leaves(PARAMETERS) if value != {} and (path[0] != "tasks" or path[1] == FULL)]
ONE_OF_EACH_ROW = {
    (path[1], row_of(path)): path
    for path, value in leaves(PARAMETERS)
    if value != {} and path[0] == "tasks" and path[1] != FULL
}


@pytest.mark.parametrize("path", [*LEAVES, *ONE_OF_EACH_ROW.values()], ids=".".join)
def test_a_parameter_runs_the_stages_of_its_row_and_no_other(default: Project, path: Path) -> None:
    with default.changed(with_other(path)):
        assert default.rerun() == {"check"} | expected(row_of(path), name=path[1], tasks=TASKS)


def test_every_row_of_the_table_is_tried() -> None:
    assert {row_of(path) for path in LEAVES} == set(TABLE)


def test_nothing_runs_where_nothing_changed(default: Project) -> None:
    assert default.rerun() == set()


def test_the_readme_has_the_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.partition("<!-- table:begin -->")[2].partition("<!-- table:end -->")[0].strip() == markdown()


def test_a_new_task_runs_its_own_stages_and_the_report(default: Project) -> None:
    parameters = params_yaml()
    parameters["tasks"]["second"] = copy.deepcopy(parameters["tasks"]["library"])
    with default.changed(parameters):
        assert default.rerun() == {"check"} | expected("tasks.T.data", name="second", tasks=TASKS)


def test_a_removed_task_runs_the_report_alone(default: Project) -> None:
    parameters = params_yaml()
    del parameters["tasks"]["library"]
    with default.changed(parameters):
        assert default.rerun() == {"check", "report"}


def test_a_source_that_nothing_reads_runs_fetch_and_the_report(default: Project) -> None:
    parameters = params_yaml()
    parameters["sources"]["second"] = parameters["sources"]["documentation"]
    with default.changed(parameters):
        assert default.rerun() == {"check", "fetch@second", "report"}


def test_a_comment_in_params_yaml_runs_the_check_alone(default: Project) -> None:
    with default.appended("params.yaml", "\n# a comment\n"):
        assert default.rerun() == {"check"}


@pytest.mark.parametrize(
    ("file", "reader"),
    [
        ("data/raw/mine/part", "prepare_corpus"),
        ("data/raw/checkpoint/part", "initialize"),
        ("data/raw/ratings.csv", "prepare_task@scores"),
    ],
)
def test_a_changed_file_from_dvc_add_is_seen_by_the_one_stage_that_reads_it(
    own: Project, file: str, reader: str
) -> None:
    added = "/".join(file.split("/")[:3]) + ".dvc"
    with own.appended(file, "more\n"):
        assert own.dirty() == {added, reader}


@pytest.fixture(scope="module")
def code(own: Project) -> dict[str, set[str]]:
    return {stage: own.code(stage) for stage in own.stages()}


CODE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "stages").rglob("*.*") if path.suffix != ".pyc")


@pytest.mark.parametrize("file", CODE)
def test_changed_code_is_seen_by_the_stages_that_import_it_and_no_other(
    own: Project, code: dict[str, set[str]], file: str
) -> None:
    readers = {stage for stage, files in code.items() if file in files}
    checked = {"check"} if file.startswith("stages/parameters/") else set()
    with own.appended(file, "\n# a comment\n"):
        assert own.dirty() == readers | checked | _of_empty(file)


def _of_empty(file: str) -> set[str]:
    """An empty __init__.py is code to DVC where a whole folder is the dependency."""
    if file == "stages/sources/documentation/__init__.py":
        return {"fetch@documentation"}
    return {"fetch@squad"} if file == "stages/sources/hub/__init__.py" else set()


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        (
            "stages/tasks/ner.py",
            "finetune_teacher@entities finetune_student@entities export@entities benchmark@entities evaluate@entities",
        ),
        ("stages/tasks/regression_rows.py", "check prepare_task@scores"),
        (
            "stages/metrics/qa.py",
            "check finetune_teacher@answers finetune_student@answers export@answers evaluate@answers",
        ),
        ("stages/runtime/latency.py", "benchmark@library benchmark@entities benchmark@answers benchmark@scores"),
        ("stages/sources/hub/source.py", "fetch@squad"),
        ("stages/model/width.py", "shrink"),
        ("stages/text/masking.py", "pretrain distill"),
        ("stages/reporting/page.html", "report"),
        ("stages/reporting/style.css", "report"),
        ("stages/analysis/ner.py", "evaluate@entities"),
        ("stages/analysis/bootstrap.py", "evaluate@library evaluate@entities evaluate@answers evaluate@scores"),
        ("stages/parameters/training.py", "check"),
        ("stages/pipeline/stage.py", ""),
    ],
)
def test_code_runs_the_stages_again_that_one_would_think(own: Project, file: str, stages: str) -> None:
    with own.appended(file, "\n"):
        assert own.dirty() == set(stages.split())
