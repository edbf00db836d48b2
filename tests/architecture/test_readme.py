"""The README's figures and picture are those of the committed reference run."""

import json
import re

from stages.parameters.validation import read_file
from tests.architecture.project import ROOT
from tools.picture import PICTURE, picture

COLUMNS = ("baseline", "teacher", "small", "small_int8")


def test_the_readmes_scores_are_those_of_the_reference_run() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Results")[2].partition("\n## ")[0]
    rows = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (\w+) \|" + r" ([\d.]+) \|" * 4 + "$", table, re.M)}
    assert set(rows) == set(read_file(ROOT / "params.yaml")["tasks"])
    for task, (metric, *shown) in rows.items():
        committed = [json.loads((ROOT / f"reports/metrics/{task}/{model}.json").read_text()) for model in COLUMNS]
        assert [numbers["metric"] for numbers in committed] == [metric] * len(COLUMNS)
        assert shown == [f"{numbers['score']:.3f}" for numbers in committed]


def test_the_readmes_picture_is_that_of_the_reference_run() -> None:
    assert (ROOT / PICTURE).read_text(encoding="utf-8") == picture(ROOT)
