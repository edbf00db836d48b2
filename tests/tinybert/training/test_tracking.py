"""Curves in a tracker's own store are those of the run, and a tracker that is not there is named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tests.tinybert.training.test_loop import Objective, killed, trained
from tinybert.errors import InputError
from tinybert.training import tracking
from tinybert.training.progress import Progress

mlflow: Any = pytest.importorskip("mlflow", reason="MLflow is not installed: make servers")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """MLflow on a local store; what it prints of a run goes to nobody."""
    monkeypatch.setenv(tracking.VARIABLE, "mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def stored(client: Any, name: str) -> list[dict[int, dict[str, float]]]:
    """Of each run of an experiment, oldest first, the metrics by step."""
    experiment, runs = client.get_experiment_by_name(name), list[dict[int, dict[str, float]]]()
    for run in sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.info.start_time):
        steps: dict[int, dict[str, float]] = {}
        for metric in run.data.metrics:
            for point in client.get_metric_history(run.info.run_id, metric):
                steps.setdefault(point.step, {})[metric] = point.value
        runs.append(steps)
    return runs


def by_step(curve: list[dict[str, float]]) -> dict[int, dict[str, float]]:
    return {int(row["step"]): {name: value for name, value in row.items() if name != "step"} for row in curve}


def test_a_curve_in_mlflow_is_the_runs_and_a_resumed_run_has_all_of_it(client: Any, tmp_path: Path) -> None:
    _, whole = trained(Objective(dropout=0.2), progress=Progress("student of qa"))
    assert stored(client, "student-of-qa") == [by_step(whole.curve)]
    killed(tmp_path / "point", after=4, dropout=0.2)
    _, resumed = trained(Objective(dropout=0.2), tmp_path / "point", progress=Progress("resumed"))
    assert resumed.curve == whole.curve
    assert stored(client, "resumed") == [by_step(whole.curve)]


@pytest.mark.parametrize(("value", "named"), [("mlflow, mlfow", "'mlfow'"), ("trackio", "'trackio'")])
def test_a_tracker_that_is_not_there_is_named(value: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tracking.VARIABLE, value)
    with pytest.raises(InputError, match=f"ACCELERATE_LOG_WITH: {named} is not installed here.*installed: .*mlflow"):
        trained(Objective(), progress=Progress("x"))


def test_without_the_variable_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracking.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    module: nn.Module = Objective()
    trained(module, progress=Progress("x"))
    assert not list(tmp_path.iterdir())
