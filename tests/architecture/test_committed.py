"""What git keeps of the reference run: the README's figures and picture are those, and no merge mixes its lines."""

import json
import re
import subprocess

from stages.parameters.validation import read_file
from tests.architecture.project import ROOT
from tools.picture import PICTURE, picture

COLUMNS = ("baseline", "tfidf", "teacher", "small", "small_int8")
"""Of these `tfidf` is there for tasks of classification alone."""


def test_the_readmes_scores_are_those_of_the_reference_run() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Results")[2].partition("\n## ")[0]
    line = r"^\| `(\w+)` \| (\w+) \|" + r" ([\d.]+|-) \|" * len(COLUMNS) + "$"
    rows = {row[0]: row[1:] for row in re.findall(line, table, re.MULTILINE)}
    assert set(rows) == set(read_file(ROOT / "params.yaml")["tasks"])
    for task, (metric, *shown) in rows.items():
        files = [ROOT / f"reports/metrics/{task}/{model}.json" for model in COLUMNS]
        committed = [json.loads(file.read_text()) if file.exists() else None for file in files]
        assert {numbers["metric"] for numbers in committed if numbers} == {metric}
        assert shown == [f"{numbers['score']:.3f}" if numbers else "-" for numbers in committed]


def test_the_readmes_picture_is_that_of_the_reference_run() -> None:
    assert (ROOT / PICTURE).read_text(encoding="utf-8") == picture(ROOT)


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
    assert {path.split("/")[1] for path in files} >= {"metrics", "speed", "curves", "confusion", "sizes.tsv"}
    assert set(merge_attributes("dvc.lock", *files).values()) == {"unset"}
    assert merge_attributes("reports/.gitignore", "params.yaml") == {
        "reports/.gitignore": "set",
        "params.yaml": "unspecified",
    }
