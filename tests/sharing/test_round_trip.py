"""The recipes of docs/sharing.md on the real pipeline, from teammate to teammate through real servers."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.clones import ROOT, edit, output_hashes, stages_run
from tests.sharing.azure import connection_string
from tests.sharing.remote import MISSING, Remote
from tests.sharing.team import TEAM, recipe, shell

pytestmark = pytest.mark.dvc

DOCUMENT = "docs/sharing.md"
LIGHT = {"plan", "report"}
"""Stages of seconds, that may run again: `plan` reads all of params.yaml, `report` writes what git keeps."""
FOLDER = pytest.mark.parametrize("kind", ["folder"], indirect=True)


def author(project: Path, remote: Remote, folder: Path) -> dict[str, str]:
    """The author's clone and the team's git repository beside it, all sent; the words of the recipes for teammates."""
    author, origin = folder / "author", folder / "origin.git"
    shutil.copytree(project, author, symlinks=True)
    remote.set_up(author)
    shell(author, "git branch -M main")
    shell(folder, f"git clone -q --bare author {origin.name}")
    shell(author, f"git remote add origin '{origin}'; git fetch -q; git branch -q -u origin/main")
    shell(author, recipe(DOCUMENT, "Send"))
    shell(author, recipe(DOCUMENT, "Send", 1))  # the project's commits are from before the remote
    return {"URL": origin.as_uri()}


def teammate(remote: Remote, folder: Path, words: dict[str, str]) -> Path:
    """A clone with credentials and without data."""
    shell(folder, recipe(DOCUMENT, "Receive"), words)
    remote.log_in(folder / "bert")
    return folder / "bert"


@pytest.mark.parametrize("kind", ["folder", "ssh", "webdav", "s3"], indirect=True)
def test_who_clones_and_pulls_runs_nothing_and_goes_back_and_forth(
    another_depth: Path, remote: Remote, tmp_path: Path
) -> None:
    mate = teammate(remote, tmp_path, author(another_depth, remote, tmp_path))
    assert stages_run(shell(mate, recipe(DOCUMENT, "Receive", 1))) == set()
    assert "up to date" in shell(mate, "dvc status")
    assert shell(mate, "git status --porcelain") == ""
    shell(mate, "git checkout -q HEAD~2 -- params.yaml")
    assert stages_run(shell(mate, recipe(DOCUMENT, "Go back, or on"))) <= LIGHT
    first = output_hashes(shell(another_depth, "git show HEAD~1:dvc.lock"))
    assert output_hashes((mate / "dvc.lock").read_text()) == first
    shell(mate, "git checkout -q HEAD -- params.yaml")
    assert stages_run(shell(mate, recipe(DOCUMENT, "Go back, or on"))) <= LIGHT
    assert shell(mate, "git status --porcelain") == ""
    compared = shell(mate, recipe(DOCUMENT, "Compare"), {"HEAD~1": "HEAD~2"})
    assert "reports/metrics/library/small.json" in compared and "students.small.num_hidden_layers" in compared


@FOLDER
def test_another_depth_downloads_the_teacher_and_trains_none(
    another_depth: Path, remote: Remote, tmp_path: Path
) -> None:
    mate = teammate(remote, tmp_path, author(another_depth, remote, tmp_path))
    edit(mate, {"students.small.num_hidden_layers": 3})
    command = recipe(DOCUMENT, "Go back, or on").replace("\n", " finetune_student@library-small\n")
    expected = {"plan", "shrink@small", "gather", "distill@small", "finetune_student@library-small"}
    assert stages_run(shell(mate, command)) == expected
    assert (mate / "models/teacher/model.safetensors").exists()
    assert not (mate / "data/tasks/answers").exists()
    config = json.loads((mate / "models/tasks/library/students/small/config.json").read_text())
    assert config["num_hidden_layers"] == 3
    shell(mate, "git commit -qam 'Another depth'; " + recipe(DOCUMENT, "Send"))
    shell(tmp_path / "author", "git pull -q; dvc pull --quiet models/tasks/library/students/small")
    theirs = tmp_path / "author/models/tasks/library/students/small/config.json"
    assert json.loads(theirs.read_text()) == config


@FOLDER
def test_what_dvc_add_put_at_data_raw_travels_too(quick: Path, remote: Remote, tmp_path: Path) -> None:
    words = author(quick, remote, tmp_path)
    mine = tmp_path / "author/data/raw/reviews/train.csv"
    mine.parent.mkdir()
    mine.write_text("review,sentiment\na good film,good\n")
    shell(tmp_path / "author", "dvc add -q data/raw/reviews; git add data/raw/reviews.dvc; git commit -qm reviews")
    shell(tmp_path / "author", recipe(DOCUMENT, "Send"))
    mate = teammate(remote, tmp_path, words)
    shell(mate, "dvc pull --quiet data/raw/reviews")
    assert (mate / "data/raw/reviews/train.csv").read_text() == mine.read_text()


@FOLDER
def test_a_model_is_used_from_another_place_by_path_by_name_and_in_python(
    another_depth: Path, remote: Remote, tmp_path: Path
) -> None:
    words = author(another_depth, remote, tmp_path)
    wanted = (tmp_path / "author/models/tasks/library/students/small/model.safetensors").read_bytes()
    shell(tmp_path / "author", recipe(DOCUMENT, "Use a model elsewhere", 1))
    for block in (0, 2):
        elsewhere = tmp_path / f"elsewhere {block}"
        elsewhere.mkdir()
        shell(elsewhere, recipe(DOCUMENT, "Use a model elsewhere", block), words)
        assert (elsewhere / "tagger/model.safetensors").read_bytes() == wanted
    code = recipe(DOCUMENT, "Use a model elsewhere", 3).replace("URL", words["URL"]) + "print(config)"
    done = subprocess.run(["python", "-c", code], cwd=tmp_path, env=TEAM, capture_output=True, text=True)
    assert json.loads(done.stdout)["architectures"] == ["BertForSequenceClassification"], done.stderr


@FOLDER
def test_a_pipeline_without_the_tasks_that_the_artifacts_name_still_works(
    another_depth: Path, remote: Remote, tmp_path: Path
) -> None:
    words = author(another_depth, remote, tmp_path)
    mate = teammate(remote, tmp_path, words)
    (mate / "params.yaml").write_text((mate / "presets/local.yaml").read_text())
    assert "prepare_task@sst2" in shell(mate, "dvc stage list --name-only")


def test_the_clients_of_all_kinds_are_installed_as_pinned() -> None:
    pytest.importorskip("dvc_s3", reason=MISSING)
    said = shell(ROOT, recipe(DOCUMENT, "Sharing results through a remote"))
    assert "Requirement already satisfied: dvc-webdav==" in said and "Successfully installed" not in said


@pytest.mark.parametrize(("heading", "protocol"), [("Azure", "azure"), ("Google Cloud Storage", "gs")])
def test_a_kind_is_understood_without_its_server(made: Path, tmp_path: Path, heading: str, protocol: str) -> None:
    pytest.importorskip("dvc_azure", reason=MISSING)
    project = shutil.copytree(made, tmp_path / "project", symlinks=True)
    secret = connection_string(1, "YQ==")
    shell(project, recipe(DOCUMENT, heading) + recipe(DOCUMENT, heading, 1), {"SECRET": secret})
    program = "from dvc.repo import Repo; print(Repo().cloud.get_remote_odb().fs.protocol)"
    assert protocol in shell(project, f"python -c '{program}'")
