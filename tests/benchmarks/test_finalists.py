"""Rows of whole runs are read from the metrics that the pipeline writes, and shown with shares worked by hand."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmarks import clones, finalists
from benchmarks.quality import read_rows
from tinybert.data.tokenizer import build_tokenizer, save_tokenizer
from tinybert.tasks.tables import write_rows

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def models(student: float) -> dict[str, Any]:
    """A baseline of 0.5, a teacher of 0.9."""
    scores = {"baseline": 0.5, "teacher": 0.9, "student": student}
    sizes = {
        "teacher": {"parameters": 4_000_000, "multiply_adds": 600},
        "student": {"parameters": 1_500_000, "multiply_adds": 100},
    }
    return {
        name: {"metric": "f1", "score": score, "score_low": score - 0.1, "score_high": score + 0.1}
        | sizes.get(name, {})
        for name, score in scores.items()
    }


def row(seed: int, *students: float) -> dict[str, Any]:
    tasks = dict(zip("ab", map(models, students), strict=True))
    return {
        "preset": "local",
        "student": "small",
        "seed": seed,
        "tokens": 1.125,
        "tasks": tasks,
        "seconds": {"x": 60.0, "y": 120.0},
    }


def test_shares_are_of_the_score_and_of_what_lies_above_the_baseline() -> None:
    *_, line = finalists.shares_table([row(1, 0.9, 0.72)]).splitlines()
    sizes = "| local | small | 1.50M | 6.0x fewer | 1.12x | 1 |"
    assert line == f"{sizes} 1.000 (1.000) | 0.800 (0.550) | 0.900 (0.775) | 3 |"


def test_several_seeds_have_their_mean_and_standard_deviation() -> None:
    *_, line = finalists.shares_table([row(1, 0.9, 0.9), row(2, 0.9, 0.72)]).splitlines()
    assert line == "| local | small |  |  |  | mean | 1.000 ± 0.000 | 0.900 ± 0.141 | 0.950 ± 0.071 |  |"


def test_scores_have_intervals_and_a_dash_where_there_is_none() -> None:
    *_, line = finalists.scores_table(row(1, 0.8, 0.8)).splitlines()
    assert line == "| b | f1 | 0.500 | - | 0.900 (0.800 to 1.000) | 0.800 (0.700 to 0.900) | - |"


def test_a_run_replaces_the_rows_of_its_preset_and_seed_and_a_comment_changes_no_preset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(finalists, "ROWS", tmp_path / "rows.jsonl")
    monkeypatch.setattr(clones, "ROOT", tmp_path)
    finalists.save([row(1, 0.5, 0.5), row(2, 0.6, 0.6)])
    finalists.save([row(1, 0.7, 0.7)])
    assert [(r["seed"], r["tasks"]) for r in read_rows(finalists.ROWS)] == [(r["seed"], r["tasks"]) for r in
            (row(2, 0.6, 0.6), row(1, 0.7, 0.7))]  # fmt: skip
    preset = tmp_path / "presets/local.yaml"
    preset.parent.mkdir()
    found: list[str] = []
    for text in ("a: 1\n", "a: 1  # one\n", "a: 2\n"):
        preset.write_text(text)
        found.append(finalists.digest("local"))
    assert found[0] == found[1] != found[2]


def test_a_run_is_read_from_its_metrics(tmp_path: Path) -> None:
    def write(path: str, content: Any) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))

    write("params.yaml", {"students": {"small": {}, "tiny": {}}, "tasks": {"a": {}}})
    write(".state/durations/distill@small.json", {"resumed": False, "seconds": 4.5})
    for name in ("small", "tiny"):
        write(f"reports/distill/{name}/machine.json", {"processor": "P", "instructions": "I", "threads": 2})
        write(f"reports/metrics/a/{name}.json", {"score": 0.1, "student": name})
    write("reports/metrics/a/teacher.json", {"score": 0.2})
    letters = [*SPECIAL, "a", "##a"]
    vocabularies = {"teacher": [*letters, "aa"], "students/small": [*letters, "aa"], "students/tiny": letters}
    for place, vocabulary in vocabularies.items():
        save_tokenizer(build_tokenizer(vocabulary, lowercase=True, max_length=9), folder=tmp_path / "models" / place)
    (tmp_path / "data/tasks/a").mkdir(parents=True)
    write_rows(tmp_path / "data/tasks/a/test.parquet", [{"text": "aa a"}], pa.schema([("text", pa.string())]))
    small, tiny = finalists.read_run(tmp_path)
    assert (small["tokens"], tiny["tokens"]) == (1, 5 / 4)  # [CLS] aa a [SEP], [CLS] a ##a a [SEP]
    assert small["tasks"] == {"a": {"teacher": {"score": 0.2}, "student": {"score": 0.1, "student": "small"}}}
    assert (tiny["student"], tiny["machine"]) == ("tiny", "P (I), 2 threads")
    assert tiny["seconds"] == {"distill@small": 4.5}
