"""`python -m tools.check_lock` tells without data whether dvc.lock fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.clones import edit, stages_run
from tests.sharing.pipeline import call, edited
from tests.sharing.remote import Remote
from tests.sharing.team import recipe, shell
from tools import check_lock

pytestmark = [pytest.mark.dvc, pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")]

DOCUMENT, HEADING = "docs/team.md", "Continuous integration"
Change = Callable[[Any], Any]
# What is changed in which file, and what is said of it; all files are those of a clone without data.
CHANGES: list[tuple[str, Change, str]] = [
    ("params.yaml", lambda p: p["tasks"]["red"].update(rows=3), "prepare@red: parameter tasks.red.rows is modified"),
    ("params.yaml", lambda p: p["tasks"].update(green={"rows": 1}), "prepare@green: has never run"),
    ("params.yaml", lambda p: p["tasks"].pop("blue"), "prepare@blue: is in dvc.lock but not in dvc.yaml"),
    ("dvc.yaml", lambda d: d["stages"]["report"].update(cmd="true"), "report: its command changed"),
    ("dvc.yaml", lambda d: d["stages"]["prepare"]["do"].pop("deps"), "prepare@red: work.py is recorded and not decl"),
    ("dvc.yaml", lambda d: d["stages"]["report"].pop("params"), "report: parameter tasks is recorded and not declared"),
    ("dvc.yaml", lambda d: d["stages"]["report"]["deps"].append("params.yaml"), "report: params.yaml is not recorded"),
    ("dvc.lock", lambda d: d["stages"].pop("evaluate@red"), "evaluate@red: has never run"),
    ("dvc.lock", lambda d: d["stages"]["report"].pop("params"), "report: params.yaml is new"),
    (
        "dvc.lock",
        lambda d: d["stages"]["prepare@red"]["outs"][0].update(md5="0" * 32 + ".dir"),
        "evaluate@red: data/tasks/red is not what was read: its stage has written it again",
    ),
    (
        "dvc.lock",
        lambda d: d["stages"]["evaluate@red"]["outs"][0].update(md5="0" * 32),
        "report: reports/tasks is not what was read: its stage has written it again",
    ),
    ("reports/metrics.json", lambda m: m.update(score=1), "report: reports/metrics.json is not what the stage wrote"),
]


@pytest.fixture
def bare(light: Path, tmp_path: Path) -> Path:
    """A clone without data."""
    shell(tmp_path, "git clone -q light bare")
    return tmp_path / "bare"


def test_a_clone_without_data_fits(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(check_lock, bare)
    assert capsys.readouterr().out == "dvc.lock fits the code and params.yaml\n"


@pytest.mark.parametrize(("file", "change", "said"), CHANGES, ids=[said for *_, said in CHANGES])
def test_what_does_not_fit_is_named(bare: Path, file: str, change: Change, said: str) -> None:
    with edited(bare, file) as content:
        change(content)
    with pytest.raises(SystemExit) as refusal:
        call(check_lock, bare)
    assert f"  {said}" in str(refusal.value)


def test_a_changed_code_file_is_named_with_each_stage_that_reads_it(bare: Path) -> None:
    (bare / "work.py").write_text("pass\n")
    with pytest.raises(SystemExit) as refusal:
        call(check_lock, bare)
    assert "  prepare@red: work.py changed\n  prepare@blue: work.py changed" in str(refusal.value)
    (bare / "work.py").unlink()
    with pytest.raises(SystemExit, match="prepare@red: work.py is missing"):
        call(check_lock, bare)


@pytest.mark.parametrize("file", ["params.yaml", "dvc.yaml", "dvc.lock"])
def test_a_broken_file_is_named(bare: Path, file: str) -> None:
    (bare / file).write_text("<<<<<<< ours\n")
    with pytest.raises(SystemExit, match=f"(?s)ERROR: .*{file}"):
        call(check_lock, bare)


def test_with_data_it_says_what_dvc_status_says(light: Path) -> None:
    """What it says of data that is not here is what DVC says of it here."""
    call(check_lock, light)
    assert "up to date" in shell(light, "dvc status")
    edit(light, {"tasks.red.rows": 3})
    with pytest.raises(SystemExit, match="prepare@red"):
        call(check_lock, light)
    assert "prepare@red" in stages_run(shell(light, "dvc repro"))
    call(check_lock, light)


def test_the_real_pipeline_is_checked_in_a_clone_without_data(quick: Path, tmp_path: Path) -> None:
    shell(tmp_path, f"git clone -q '{quick}' clone")
    shell(tmp_path / "clone", recipe(DOCUMENT, HEADING))
    clone = tmp_path / "clone"
    file = clone / "tinybert/pruning/cut.py"
    code = file.read_text()
    file.write_text(f"{code}\n# a comment\n")
    shell(clone, "python -m tools.check_lock")
    file.write_text(f"{code}\nCHANGED = 1\n")
    assert refused_stages(clone) == {"plan", "shrink@small"}
    file.write_text(code)
    edit(clone, {"students.small.num_hidden_layers": 1})
    assert refused_stages(clone) == {"shrink@small", "report"}
    with edited(clone, "dvc.lock") as content:
        content["stages"]["prepare_task@library"]["outs"][0]["size"] += 1
    line = "  task_texts: data/tasks is not what was read: its stages have written it again"
    assert line in refused_lines(clone)


def refused_stages(project: Path) -> set[str]:
    return {line.split(":")[0].strip() for line in refused_lines(project)}


def refused_lines(project: Path) -> list[str]:
    """What does not fit, a line for each."""
    with pytest.raises(SystemExit) as refusal:
        call(check_lock, project)
    return str(refusal.value).splitlines()[1:]


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_what_was_not_pushed_is_named(light: Path, remote: Remote, tmp_path: Path) -> None:
    shell(light, "dvc remote remove team")
    remote.set_up(light)
    shell(tmp_path, "git clone -q light clone")
    command = recipe(DOCUMENT, HEADING, 1)
    assert "not_in_remote" in shell(tmp_path / "clone", f"if {command}then exit 1; fi")
    shell(light, recipe("docs/sharing.md", "Send").replace("git push", ""))
    assert shell(tmp_path / "clone", command) == ""
    shell(tmp_path / "clone", f"dvc remote modify team url /dev/null/nowhere\nif {command}then exit 1; fi")
