"""A changed parameter, code file or data file runs the stages again that read it, and no other."""

import copy
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import pytest

from stages.parameters.whole import validate_whole
from stages.pipeline.closure import is_excluded
from tests.architecture.project import ROOT, Project, params_yaml
from tests.architecture.table import TABLE, expected, markdown, row_of

# DVC's own use of pygtrie.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

Path = tuple[str, ...]

OTHER = {
    "threads": 2,
    "precision": "bfloat16",
    "kind": {"documentation": "hub", "classification": "regression", "ner": "classification", "qa": "classification"},
    "metric": {"accuracy": "matthews", "f1": {"answers": "exact_match", "entities": "precision"}},
    "length_doublings": 2,
    "max_length": 160,
    "source": "presets",
    "max_documents": 1000,
    "keep_layers": "first",
    "teacher_layers": "last",
    "method": "first",
    "tasks": ["library"],
    "doc_stride": 32,
    "new_pairs": 1,
    "cloze_questions": 2,
    "copies": 1,
    "encoding": "latin-1",
    "documents": "line",
    "quoted": True,
    "near_duplicates": {
        None: {
            "near_duplicates": {"n_grams": 5, "num_buckets": 14, "hashes_per_bucket": 8, "seed": 1, "shards": 4},
        },
    },
}
"""Another value where one made of the old one would not be allowed."""
TOGETHER: dict[Path, dict[str, Any]] = {
    ("sources", "documentation", "kind"): {"options": {"repository": "a/b", "type": "dataset", "revision": "0" * 40}},
    ("tasks", "library", "kind"): {"metric": "pearson"},
    ("tasks", "answers", "data", "unlabelled"): {"unlabelled": {"source": "data/raw/documentation/answers"}},
    ("tasks", "entities", "kind"): {"metric": "accuracy", "data": {"source": "data/raw/documentation/entities",
                                                                  "columns": {"text": "words"}}},
    ("tasks", "answers", "kind"): {"metric": "accuracy", "encoding": {}, "decoding": {},
                                   "data": {"source": "data/raw/documentation/answers", "columns": {"text": "text"}}},
    ("tasks", "answers", "student", "intermediate", "losses", "relation"): {"relation_heads": 8},
}  # fmt: skip
"""What has to change with a value, in the section that it is in."""

PARAMETERS = params_yaml()
FULL = "answers"
"""The task that is changed leaf by leaf: its kind has the most of them."""


def complete() -> dict[str, Any]:
    """params.yaml with everything that the task FULL could say said, at the values that it has."""
    parameters = copy.deepcopy(PARAMETERS)
    for part in (part for name, part in validate_whole(PARAMETERS)[1][FULL].items() if name != "origin"):
        parameters["tasks"][FULL] |= copy.deepcopy(part)
    return parameters


def leaves(tree: Any, *path: str) -> Iterator[tuple[Path, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, *path, key)
        else:
            yield (*path, key), value


def other(path: Path, value: Any) -> Any:
    if path[-1] in OTHER:
        another: Any = OTHER[path[-1]]
        another = another[value] if isinstance(another, dict) else another
        return another[path[1]] if isinstance(another, dict) else another
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value // 2 if path[-1] in ("hidden_size", "intermediate_size") else 2 * value
    if isinstance(value, list):
        return [*value, *value]
    if isinstance(value, float):
        return value / 2 if value else 0.5
    return "something_else" if value is None else f"{value}_2"


LEAVES = {path: value for path, value in leaves(complete()) if path[0] != "tasks" or path[1] == FULL}
ONE_OF_EACH_ROW = {
    (path[1], row_of(path)): path for path, value in leaves(PARAMETERS) if path[0] == "tasks" and path[1] != FULL
}
UNCHANGEABLE = {
    ("students", "small", "num_attention_heads"),
    ("students", "small", "vocab_size"),
    ("initialize", "scratch", "num_attention_heads"),
    ("finetuning", "teaching", "new_pairs"),
    ("finetuning", "teaching", "cloze_questions"),
}
"""Losses hold student and teacher to as many heads and to one vocabulary, and only question answering has
both pairs and cloze questions."""


def with_other(path: Path) -> dict[str, Any]:
    """params.yaml with another value at `path`, one that is allowed there."""
    parameters = copy.deepcopy(PARAMETERS)
    section = parameters
    for step in path[:-1]:
        section = section.setdefault(step, {})
    value = LEAVES.get(path, section.get(path[-1]))
    section[path[-1]] = other(path, value)
    section |= TOGETHER.get(path, {})
    assert parameters != PARAMETERS
    return parameters


def stages_of(path: Path, stages: list[str]) -> set[str]:
    """The row of the table, for the task, student or source of the path."""
    row = row_of(path)
    if path[0] == "finetuning":
        tasks = [name for name, task in PARAMETERS["tasks"].items() if not _overrides(task, path[1:])]
        return set().union(*(expected(row, stages, task=task) for task in tasks))
    section = {"tasks": "task", "students": "student", "sources": "source"}.get(path[0])
    return expected(row, stages, **({section: path[1]} if section else {}))


def _overrides(task: dict[str, Any], path: Path) -> bool:
    for step in path:
        if step not in task:
            return False
        task = task[step]
    return True


@pytest.mark.parametrize(
    "path", [path for path in (*LEAVES, *ONE_OF_EACH_ROW.values()) if path not in UNCHANGEABLE], ids=".".join
)
def test_a_parameter_runs_the_stages_of_its_row_and_no_other(default: Project, path: Path) -> None:
    stages = list(default.stages())
    with default.changed(with_other(path)):
        assert default.rerun() == {"plan"} | stages_of(path, stages)


def test_every_row_of_the_table_is_tried() -> None:
    assert {row_of(path) for path in LEAVES} == set(TABLE)


def test_nothing_runs_where_nothing_changed(default: Project) -> None:
    assert default.rerun() == set()


def test_the_documentation_has_the_table() -> None:
    text = (ROOT / "docs/what-runs.md").read_text(encoding="utf-8")
    assert text.partition("<!-- table:begin -->")[2].partition("<!-- table:end -->")[0].strip() == markdown()


def test_a_default_said_again_in_a_task_runs_the_report_alone(default: Project) -> None:
    """The report shows what params.yaml says; no other stage reads more than the resolved numbers."""
    with default.changed(complete()):
        assert default.rerun() == {"plan", "report"}


def test_a_new_task_runs_its_own_stages_and_the_report(default: Project) -> None:
    parameters = params_yaml()
    parameters["tasks"]["second"] = copy.deepcopy(parameters["tasks"]["library"])
    with default.changed(parameters):
        assert default.rerun() == {"plan"} | expected("tasks.T.data", default.stages(), task="second")


def test_a_removed_task_runs_the_report_alone(default: Project) -> None:
    parameters = params_yaml()
    del parameters["tasks"]["library"]
    with default.changed(parameters):
        assert default.rerun() == {"plan", "report"}


def test_a_new_student_runs_its_own_stages_and_the_report(default: Project) -> None:
    parameters = params_yaml()
    parameters["students"]["second"] = parameters["students"]["small"] | {"num_hidden_layers": 1}
    with default.changed(parameters):
        assert default.rerun() == {"plan"} | expected("students.S", default.stages(), student="second")


def test_a_removed_student_runs_the_report_alone(own: Project) -> None:
    parameters = copy.deepcopy(own.parameters)
    del parameters["students"]["wide"]
    with own.changed(parameters):
        assert own.rerun() == {"plan", "report"}


def test_a_source_that_nothing_reads_runs_fetch_and_the_report(default: Project) -> None:
    parameters = params_yaml()
    parameters["sources"]["second"] = parameters["sources"]["documentation"]
    with default.changed(parameters):
        assert default.rerun() == {"plan", "fetch@second", "report"}


def test_a_comment_in_params_yaml_runs_the_plan_alone(default: Project) -> None:
    with default.appended("params.yaml", "\n# a comment\n"):
        assert default.rerun() == {"plan"}


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


CODE = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("stages", "tinybert", "demonstration")
    for path in (ROOT / package).rglob("*.*")
    if path.suffix != ".pyc" and path.stat().st_size
)


@pytest.fixture(scope="module")
def closures(own: Project) -> dict[str, set[str]]:
    """The code of each stage."""
    return {
        stage: set(own.code.closure(f"stages/{stage.partition('@')[0]}.py", kind=own.kind(stage)))
        for stage in own.stages()
        if stage != "plan"
    }


@pytest.mark.parametrize("file", CODE)
def test_changed_code_is_seen_by_the_stages_that_import_it_and_no_other(
    own: Project, closures: dict[str, set[str]], file: str
) -> None:
    readers = {stage for stage, files in closures.items() if file in files}
    assert not (readers and is_excluded(file))
    with own.appended(file, "\nCHANGED = 1\n"):
        assert own.dirty() == {"plan"} | readers


@pytest.mark.parametrize("file", ["stages/distill.py", "tinybert/pruning/cut.py", "tinybert/tasks/ner/model.py"])
@pytest.mark.parametrize(
    "text", ["\n# a comment\n", '\n"""A docstring."""\n', "\n\n\n"], ids=["comment", "string", "space"]
)
def test_an_edited_comment_or_docstring_runs_the_plan_alone(own: Project, file: str, text: str) -> None:
    with own.appended(file, text):
        assert own.rerun() == {"plan"}


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        (
            "tinybert/tasks/ner/model.py",
            "finetune_teacher@entities teach@entities finetune_student@entities-* export@entities-* "
            "evaluate@entities-*",
        ),
        ("tinybert/tasks/regression/rows.py", "prepare_task@scores teach@scores"),
        ("tinybert/tasks/unlabelled.py", "prepare_task@* teach@*"),
        ("tinybert/tasks/cloze.py", "cloze@*"),
        ("tinybert/distillation/augmentation.py", "teach@*"),
        ("tinybert/distillation/teaching.py", "teach@* finetune_student@*"),
        (
            "tinybert/tasks/qa/metrics.py",
            "finetune_teacher@answers teach@answers finetune_student@answers-* export@answers-* floor@answers "
            "evaluate@answers-*",
        ),
        ("tinybert/export/latency.py", "measure@*"),
        ("tinybert/data/hub.py", "fetch@squad"),
        ("tinybert/pruning/cut.py", "shrink@*"),
        ("tinybert/pretraining/masking.py", "pretrain shrink@* distill@*"),
        ("tinybert/distillation/general.py", "distill@*"),
        ("tinybert/distillation/losses.py", "distill@* finetune_student@*"),
        ("tinybert/distillation/task.py", "finetune_student@*"),
        ("tinybert/finetuning/fit.py", "finetune_teacher@* finetune_student@*"),
        ("tinybert/reporting/page.html", "report"),
        ("tinybert/reporting/style.css", "report"),
        ("tinybert/evaluation/comparison.py", "export@* floor@* evaluate@*"),
        ("tinybert/evaluation/calibration.py", "evaluate@*"),
        ("tinybert/evaluation/bag_of_words.py", "floor@*"),
        ("demonstration/layout.py", "fetch@documentation"),
        ("stages/parameters/tasks.py", ""),
        ("stages/pipeline/stage.py", ""),
    ],
)
def test_code_runs_the_stages_again_that_one_would_think(own: Project, file: str, stages: str) -> None:
    readers = {stage for stage in own.stages() for pattern in stages.split() if fnmatch(stage, pattern)}
    with own.appended(file, "\n.changed {}\n" if file.endswith((".css", ".html")) else "\nCHANGED = 1\n"):
        assert own.dirty() == {"plan"} | readers
