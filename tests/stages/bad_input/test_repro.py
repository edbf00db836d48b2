"""The same through `dvc repro`: what is wrong ends it before anything else runs."""

from pathlib import Path

import pytest

from tests.stages.bad_input.project import edit, leftovers, start

pytestmark = pytest.mark.dvc


def repro(project: Path) -> str:
    """Standard error of a `dvc repro` that fails and leaves nothing behind."""
    result = start(project, "dvc", "repro")
    assert result.returncode != 0, result.stdout
    assert "Traceback" not in result.stderr, result.stderr
    assert leftovers(project, "data", "models", "reports", "dvc.lock") in ([], ["data"])
    assert [path for path in project.glob("data/*") if path.name != ".gitignore"] == []
    return result.stderr


def test_a_misspelt_key_ends_it_before_anything_else_runs(project: Path):
    edit(project, {"students.small.hidden_size -> hiden_size": None})
    message = repro(project)
    assert "students.small.hiden_size: is not a known key; did you mean hidden_size?" in message
    assert "failed to reproduce 'plan'" in message


def test_an_unknown_kind_of_task_is_said_by_plan_with_the_kinds_there_are(project: Path):
    edit(project, {"tasks.entities.kind": "nre"})
    message = repro(project)
    assert "tasks.entities.kind: expected one of classification, ner, qa, regression, got" in message
    assert "failed to reproduce 'plan'" in message


def test_a_file_that_is_not_yaml_is_named_by_dvc_with_the_line(project: Path):
    (project / "params.yaml").write_text("compute:\n  threads: [1\n")
    message = repro(project)
    assert "'params.yaml', YAML file structure is corrupted" in message
    assert "line 3, column 1" in message


def test_a_section_that_dvc_reads_itself_is_named_by_dvc_when_it_is_missing(project: Path):
    edit(project, {"initialize -> initialise": None})
    message = repro(project)
    assert "Could not find 'initialize.source'" in message


def test_a_source_that_is_not_there_is_named_by_dvc(project: Path):
    edit(project, {"prepare_corpus.source": "data/mine"})
    result = start(project, "dvc", "repro", "prepare_corpus")
    assert result.returncode != 0
    assert (
        f"failed to reproduce 'prepare_corpus': [Errno 2] No such file or directory: '{project}/data/mine'"
        in result.stderr
    )
    assert leftovers(project, "data/corpus") == []
