"""The documents' commands are the ones that the tests run."""

import re
from pathlib import Path

import pytest

from benchmarks.clones import ROOT
from tests.sharing.remote import Remote
from tests.sharing.team import recipe, shell

TESTS = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("*.py"))


@pytest.mark.parametrize("document", ["docs/sharing.md", "docs/team.md"])
def test_each_heading_with_commands_is_named_by_a_test(document: str) -> None:
    sections = re.split(r"^#+ ", (ROOT / document).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    headings = [section.partition("\n")[0] for section in sections if "\n```" in section]
    assert len(headings) >= 4
    assert [heading for heading in headings if f'"{heading}"' not in TESTS] == []


@pytest.mark.dvc
@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_the_readmes_commands_share_a_project(light: Path, remote: Remote, tmp_path: Path) -> None:
    shell(tmp_path, "git clone -q --bare light origin.git")
    (light / "requirements-remotes.txt").write_text("# read by the test of docs/sharing.md\n")
    shell(light, "git remote add origin ../origin.git; git fetch -q; git branch -q -u origin/main")
    shell(light, "dvc remote remove team; git add -A")
    shell(light, recipe("README.md", "Share results"), remote.words)
    mate = tmp_path / "mate"
    shell(tmp_path, "git clone -q origin.git mate")
    (mate / ".dvc/config.local").write_text((light / ".dvc/config").read_text())
    assert "up to date" in shell(mate, "dvc pull --run-cache; dvc repro --pull --allow-missing; dvc status")
