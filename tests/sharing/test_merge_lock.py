"""dvc.lock after a merge: never a stage's entry with lines of both sides, whoever merges."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clones import ROOT, stages_run
from tests.sharing.pipeline import call, edited, read, write
from tests.sharing.team import recipe, shell
from tools import merge_lock

DOCUMENT = "docs/team.md"
ENTRIES = st.dictionaries(st.sampled_from("abc"), st.fixed_dictionaries({"cmd": st.integers(0, 2)}))


def run(light: Path, branch: str, task: str) -> None:
    """Another number of rows for a task, run and committed on a branch of its own."""
    shell(light, f"git checkout -q -b {branch} main")
    with edited(light, "params.yaml") as parameters:
        parameters["tasks"][task]["rows"] = 10
    shell(light, f"dvc repro; git commit -qam {branch}")


def merged(light: Path) -> subprocess.CompletedProcess[str]:
    """Git's merge of `theirs`, as the programs of this environment do it."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    identity = ("-c", "user.name=a", "-c", "user.email=a@team.invalid")
    return subprocess.run(["git", *identity, "merge", "-q", "--no-edit", "theirs"], cwd=light, env=environment,
                          capture_output=True, text=True)  # fmt: skip


@given(base=ENTRIES, ours=ENTRIES, theirs=ENTRIES)
def test_each_entry_is_of_the_side_that_changed_it_and_of_ours_where_both_did(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    sides = [{"schema": "2.0", "stages": copy.deepcopy(side)} for side in (base, ours, theirs)]
    result, both = merge_lock.merge(*sides)
    for name in "abc":
        old, mine, other = (side.get(name) for side in (base, ours, theirs))
        assert result["stages"].get(name) == (other if mine == old else mine)
        assert (name in both) == (mine != other and old not in (mine, other))


def test_an_unchanged_lock_keeps_its_bytes(tmp_path: Path) -> None:
    lock = (ROOT / "dvc.lock").read_bytes()
    for name in ("base", "ours", "theirs"):
        (tmp_path / name).write_bytes(lock)
    call(merge_lock, tmp_path, "base", "ours", "theirs")
    assert (tmp_path / "ours").read_bytes() == lock


@pytest.mark.parametrize("text", ["<<<<<<< ours\n", "[1, 2]\n", "stages: 3\n"])
def test_a_side_that_is_no_lock_is_refused_and_ours_stays(tmp_path: Path, text: str) -> None:
    for name, content in {"base": "", "ours": "stages: {}\n", "theirs": text}.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(SystemExit, match="ERROR: theirs is not .*; ours is left as it was"):
        call(merge_lock, tmp_path, "base", "ours", "theirs")
    assert (tmp_path / "ours").read_text() == "stages: {}\n"


@pytest.mark.dvc
def test_without_the_driver_git_keeps_our_side_whole_and_the_recipe_ends_well(light: Path) -> None:
    run(light, "theirs", "red")
    run(light, "ours", "blue")
    lock = (light / "dvc.lock").read_bytes()
    assert merged(light).returncode == 1
    assert (light / "dvc.lock").read_bytes() == lock
    output = shell(light, recipe(DOCUMENT, "Two branches ran something"))
    assert stages_run(output) == {"report"}
    assert read(light, "params.yaml")["tasks"] == {"red": {"rows": 10}, "blue": {"rows": 10}}
    assert "up to date" in shell(light, "dvc status; git status --porcelain")


@pytest.mark.dvc
def test_with_the_driver_each_stage_is_of_the_side_that_ran_it(light: Path) -> None:
    shell(light, recipe(DOCUMENT, "By stage"))
    run(light, "theirs", "red")
    run(light, "ours", "blue")
    ours, theirs = (read_lock(light, branch) for branch in ("ours", "theirs"))
    done = merged(light)
    assert "run on both sides, and ours is kept: report" in done.stderr
    stages = read(light, "dvc.lock")["stages"]
    assert {name: stages[name] for name in ("prepare@red", "evaluate@red")} == {
        name: theirs[name] for name in ("prepare@red", "evaluate@red")
    }
    assert {name: entry for name, entry in stages.items() if "red" not in name} == {
        name: entry for name, entry in ours.items() if "red" not in name
    }
    assert stages_run(shell(light, "dvc repro --pull --allow-missing")) == {"report"}


def read_lock(project: Path, branch: str) -> dict[str, Any]:
    shell(project, f"git show {branch}:dvc.lock > other.yaml")
    return read(project, "other.yaml")["stages"]


@pytest.mark.dvc
@pytest.mark.parametrize("attribute", ["", "dvc.lock merge=text"])
def test_line_by_line_git_would_mix_and_as_committed_does_not(light: Path, attribute: str) -> None:
    """One side changed the first lines of an entry, the other its last ones: no conflict for git."""
    (light / ".git/info/attributes").write_text(attribute)
    for branch, part in (("theirs", "deps"), ("ours", "outs")):
        shell(light, f"git checkout -q -b {branch} main")
        lock = read(light, "dvc.lock")
        lock["stages"]["prepare@red"][part][0]["md5"] = "0" * 32
        write(light, "dvc.lock", lock)
        shell(light, "git commit -qam lock")
    ours = (light / "dvc.lock").read_text()
    done = merged(light)
    entry = ("0" * 32) in str(read(light, "dvc.lock")["stages"]["prepare@red"]["deps"])
    assert (done.returncode, entry) == ((0, True) if attribute else (1, False))
    assert ((light / "dvc.lock").read_text() == ours) == (attribute == "")
