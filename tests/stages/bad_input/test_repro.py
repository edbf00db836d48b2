"""Bad input ends `dvc repro` before a stage writes anything."""

from pathlib import Path

import pytest

from tests.stages.bad_input.project import edit, leftovers, start

pytestmark = pytest.mark.dvc


def repro(project: Path, *targets: str) -> str:
    """Standard error of a `dvc repro` that fails and leaves nothing behind."""
    result = start(project, "dvc", "repro", *targets)
    assert result.returncode != 0, result.stdout
    assert "Traceback" not in result.stderr, result.stderr
    assert leftovers(project, "models", "reports") == []
    assert [path for path in project.glob("data/*") if path.name != ".gitignore"] == []
    return result.stderr


def test_plan_names_what_is_wrong_in_params_yaml(project: Path):
    edit(project, {"students.small.hidden_size -> hiden_size": None})
    message = repro(project)
    assert "students.small.hiden_size: is not a known key; did you mean hidden_size?" in message
    assert "failed to reproduce 'plan'" in message and leftovers(project, "dvc.lock") == []


def test_dvc_names_the_line_at_which_a_file_is_not_yaml(project: Path):
    (project / "params.yaml").write_text("compute:\n  threads: [1\n")
    message = repro(project)
    assert "'params.yaml', YAML file structure is corrupted" in message and "line 3, column 1" in message


def test_dvc_names_a_missing_section_that_dvc_yaml_reads(project: Path):
    edit(project, {"initialize -> initialise": None})
    assert "Could not find 'initialize.source'" in repro(project)


def test_dvc_names_a_source_that_is_not_there(project: Path):
    edit(project, {"prepare_corpus.source": "data/mine"})
    reason = f"[Errno 2] No such file or directory: '{project}/data/mine'"
    assert f"failed to reproduce 'prepare_corpus': {reason}" in repro(project, "prepare_corpus")
