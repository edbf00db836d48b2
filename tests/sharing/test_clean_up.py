"""The recipe for `dvc gc` loses nothing that was not pushed."""

from pathlib import Path

import pytest

from stages.pipeline.dependencies import content_hash
from tests.sharing.team import recipe, shell

pytestmark = [pytest.mark.dvc, pytest.mark.parametrize("kind", ["folder"], indirect=True)]


def cached(project: Path) -> set[str]:
    """The md5 of all that is in the cache."""
    objects = (project / ".dvc/cache/files/md5").rglob("*")
    return {path.parent.name + path.name for path in objects if path.is_file()}


def write(project: Path, text: str) -> str:
    """Another version of the rows; its md5."""
    (project / "rows/b.tsv").write_text(text)
    shell(project, "dvc add -q rows")
    return content_hash(project / "rows/b.tsv")


def test_what_was_not_pushed_stays_and_what_was_goes(small: Path) -> None:
    shell(small, recipe("docs/sharing.md", "Send").replace("git push", ""))
    pushed = cached(small)
    shell(small, "git checkout -qb other")
    on_a_branch = write(small, "on another branch")
    shell(small, "git commit -qam other; git checkout -q main; dvc checkout -q")
    here = write(small, "not committed")
    shown, command = recipe("docs/sharing.md", "Clean up").splitlines()
    shell(small, shown)
    assert pushed <= cached(small)
    shell(small, f"{command} --force")  # it asks on a terminal only
    assert {on_a_branch, here} <= cached(small)
    assert pushed & cached(small) == set()
    shell(small, "dvc pull; git stash -q; git checkout -q other; dvc checkout -q rows")
    assert (small / "rows/b.tsv").read_text() == "on another branch"


def test_without_all_commits_dvc_loses_what_only_another_branch_names(small: Path) -> None:
    """Why the recipe is as it is."""
    shell(small, "git checkout -qb other")
    on_a_branch = write(small, "on another branch")
    shell(small, "git commit -qam other; git checkout -q main; dvc checkout -q")
    command = recipe("docs/sharing.md", "Clean up").splitlines()[1].replace("--all-commits", "--workspace")
    shell(small, f"{command} --force")
    assert on_a_branch not in cached(small)
