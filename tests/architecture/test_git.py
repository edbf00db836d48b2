"""What git does with the files that stages write into reports/."""

import subprocess

from stages.parameters.validation import read_file
from tests.architecture.project import ROOT


def merge_attributes(*paths: str) -> dict[str, str]:
    done = subprocess.run(["git", "check-attr", "merge", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.split(": ")[0]: line.split(": ")[2] for line in done.stdout.splitlines()}


def test_no_merge_mixes_lines_of_what_stages_wrote_and_git_keeps() -> None:
    report = read_file(ROOT / "dvc.yaml")["stages"]["report"]
    outs = [
        entry if isinstance(entry, str) else next(iter(entry))
        for kind in ("outs", "metrics", "plots")
        for entry in report.get(kind, [])
    ]
    kept = subprocess.run(["git", "ls-files", *outs], cwd=ROOT, capture_output=True, text=True, check=True)
    files = kept.stdout.split()
    assert {path.split("/")[1] for path in files} >= {"metrics", "speed", "curves", "confusion", "cards", "sizes.tsv"}
    assert set(merge_attributes("dvc.lock", *files).values()) == {"unset"}
    assert merge_attributes("reports/.gitignore", "params.yaml") == {
        "reports/.gitignore": "set",
        "params.yaml": "unspecified",
    }
