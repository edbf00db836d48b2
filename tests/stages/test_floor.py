"""What stage floor writes: each metric's best candidate by validation, scored on both splits."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages import floor
from stages.pipeline.stage import Run
from tests.tinybert.tasks.samples import ROWS, Sample, sample
from tinybert.evaluation.comparison import interval, resample
from tinybert.tasks.classification import metrics as classification
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.protocol import scores
from tinybert.tasks.tables import write_labels, write_rows

LABELS = ["a", "b", "c", "d"]


def splits_of(kind: str) -> dict[str, Sample]:
    return {"validation": sample(kind, 1), "test": sample(kind, 2)}


def chosen(*candidates: dict[str, list], splits: dict[str, Sample]) -> dict[str, dict[str, Any]]:
    each = [floor.Candidate({"C": float(n)}, predictions) for n, predictions in enumerate(candidates)]
    rows, metrics = {split: data.rows for split, data in splits.items()}, splits["test"].metrics
    return floor.best(each, rows, metrics=metrics, labels=splits["test"].labels)


def test_validation_chooses_also_where_test_would_choose_another() -> None:
    splits = splits_of("classification")
    gold = {split: [row["label"] for row in data.rows] for split, data in splits.items()}
    one = {split: ["a"] * ROWS for split in gold}
    good_on_test = {"validation": one["validation"], "test": gold["test"]}
    good_on_validation = {"validation": gold["validation"], "test": one["test"]}
    expected = sum(label == "a" for label in gold["test"]) / ROWS
    for order in ((good_on_test, good_on_validation), (good_on_validation, good_on_test)):
        accuracy = chosen(*order, splits=splits)["accuracy"]
        assert (accuracy["validation"], accuracy["score"]) == (1.0, expected)
        assert accuracy["C"] == order.index(good_on_validation)
    assert chosen(good_on_test, one, splits=splits)["accuracy"]["C"] == 0  # of equal ones the first


def test_each_metric_has_its_own_choice() -> None:
    """Always the most frequent of two classes beats a coin in accuracy, and not in F1 of the other class."""
    rows = [{"text": "x", "text_pair": None, "label": "yes" if n < 8 else "no"} for n in range(ROWS)]
    splits = {split: Sample(classification, [], rows, ["no", "yes"]) for split in ("validation", "test")}
    frequent, coin = ({split: made for split in splits} for made in (["no"] * ROWS, ["no", "yes"] * (ROWS // 2)))
    by_metric = chosen(frequent, coin, splits=splits)
    assert (by_metric["accuracy"]["C"], by_metric["f1"]["C"]) == (0.0, 1.0)


@pytest.mark.parametrize("kind", ["classification", "ner", "qa", "regression"])
def test_scores_and_intervals_are_those_of_the_metrics(kind: str) -> None:
    splits = splits_of(kind)
    predictions = {split: data.predictions for split, data in splits.items()}
    by_metric = chosen(predictions, splits=splits)
    data = splits["test"]
    statistics = {"model": data.metrics.row_statistics(data.predictions, data.rows, labels=data.labels)}
    for split, key in (("validation", "validation"), ("test", "score")):
        made = splits[split]
        expected = scores(data.metrics, made.predictions, made.rows, labels=data.labels)
        assert {metric: row[key] for metric, row in by_metric.items()} == {n: round(s, 5) for n, s in expected.items()}
    for metric, row in by_metric.items():
        resamples = resample(data.metrics, statistics, metric=metric, labels=data.labels)["model"]
        assert row["interval"] == interval(resamples)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """floor.json of a task whose texts are their labels and noise."""
    data = folder / "data/tasks/t"
    data.mkdir(parents=True)
    for seed, split in enumerate(("train", "validation", "test")):
        made = sample("classification", seed)
        rows = [row | {"text": f"{row['label']} word {n % 7}"} for n, row in enumerate(made.rows)]
        write_rows(data / f"{split}.parquet", rows, SCHEMA)
    write_labels(data, LABELS)
    monkeypatch.chdir(folder)
    task = {"kind": "classification", "data": {"source": "anything"}}
    floor.main(floor.Parameters.model_validate({"task": task}), Run("t", folder / "resume"))
    return Path("reports/tasks/t/floor.json").read_bytes()


def test_the_file_holds_both_floors_and_has_the_same_bytes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tmp_path / "first", monkeypatch)
    models = json.loads(first)["models"]
    assert set(models) == {"baseline", "tfidf"}
    assert models["tfidf"]["accuracy"]["score"] == 1.0 > models["baseline"]["accuracy"]["score"]
    assert models["baseline"].keys() == models["tfidf"].keys() == {"accuracy", "f1_macro", "matthews"}
    assert run(tmp_path / "second", monkeypatch) == first
