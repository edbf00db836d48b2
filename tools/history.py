"""The scores of the last commits and experiments as one page: `python -m tools.history`.

Commits and experiments are read from git without a checkout. This is a command and no stage, since DVC cannot hash git.
"""

import argparse
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.pipeline import durations
from tinybert.reporting.charts import SERIES, WIDTH, as_element, legend, markers_of
from tinybert.reporting.page import chart, leaves, render
from tinybert.reporting.results import rank

METRICS, PARAMETERS = "reports/metrics", "params.yaml"
MISSING = "(missing)"
Metrics = dict[str, dict[str, dict[str, Any]]]
Line = Sequence[Mapping[str, Any] | None]
"""The numbers of one model by revision; None where a revision does not have the model."""


@dataclass(frozen=True)
class Revision:
    name: str
    """Abbreviated commit, or the name of an experiment."""
    date: str
    subject: str
    metrics: Metrics
    """By task and model."""
    changed: list[str]
    """Parameters that differ from the revision before, or from the commit that an experiment was started from."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Scores of the last commits and experiments, as one page.")
    parser.add_argument("--last", type=int, default=20, help="commits, and experiments, at most (20)")
    parser.add_argument("--output", type=Path, default=Path("reports/history.html"))
    options = parser.parse_args()
    history = revisions(Path.cwd(), last=options.last)
    if not history:
        raise SystemExit("no commit has metrics yet: run `dvc repro` and commit reports/metrics")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    text = page(history, durations.read(Path(".state/durations")))
    options.output.write_text(text, encoding="utf-8", newline="\n")
    print(f"{options.output}: {len(history)} revision(s)")


def page(history: Sequence[Revision], stage_durations: Mapping[str, Any]) -> str:
    tasks = {name: _lines(history, name) for name in _tasks(history)}
    charts = [_chart(name, lines, [revision.name for revision in history]) for name, lines in tasks.items()]
    return render(
        "history.html", folder=Path(__file__).parent, revisions=history, charts=charts, tasks=tasks,
        durations=stage_durations,
    )  # fmt: skip


def _tasks(history: Sequence[Revision]) -> list[str]:
    """Those of the newest revision first; last held-out MLM (`heldout-mlm`, once `masked-words`), which is no task."""
    names = dict.fromkeys(name for revision in reversed(history) for name in revision.metrics)
    return sorted(names, key=lambda name: "-" in name)


def _lines(history: Sequence[Revision], task: str) -> dict[str, Line]:
    """By model, as each revision names it."""
    models = {model for revision in history for model in revision.metrics.get(task, {})}
    return {
        model: [revision.metrics.get(task, {}).get(model) for revision in history]
        for model in sorted(sorted(models), key=rank)
    }


def _chart(task: str, lines: Mapping[str, Line], ticks: Sequence[str]) -> dict[str, str]:
    figure, axes = plt.subplots(figsize=(WIDTH, 3), layout="constrained")
    markers = markers_of(lines)
    for number, (model, line) in enumerate(lines.items()):
        colour = SERIES[number % len(SERIES)]
        points = [(place, row) for place, row in enumerate(line) if row]
        places = [place for place, _ in points]
        axes.plot(places, [row["score"] for _, row in points], color=colour, marker=markers[model], markersize=5,
                  linewidth=1.2, label=model)  # fmt: skip
        low, high = ([row.get(f"score_{end}", row["score"]) for _, row in points] for end in ("low", "high"))
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xticks(range(len(ticks)), list(ticks), rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_ylabel("score")
    legend(figure, axes)
    last = "; ".join(f"{model} {line[-1]['score']:.3f}" for model, line in lines.items() if line[-1])
    return chart(task, as_element(figure, f"history-{task}"), text=f"in {ticks[-1]}: {last}")


def revisions(folder: Path, *, last: int) -> list[Revision]:
    """The last commits that changed metrics, oldest first, then the last experiments, as many at most."""
    commits = _git(folder, "log", f"-n{last + 1}", "--format=%H", "--", METRICS).split()[::-1]
    pairs = zip(commits, [None, *commits], strict=False)
    history = [revision for commit, before in pairs if (revision := _commit(folder, commit, before)).metrics]
    return history[-last:] + [revision for revision in _experiments(folder, last) if revision.metrics]


def _commit(folder: Path, commit: str, before: str | None, *, name: str = "") -> Revision:
    short, date, subject = _git(folder, "show", "-s", "--format=%h%x00%cs%x00%s", commit).strip("\n").split("\0")
    files = _files(folder, commit)
    changed = _changed(_files(folder, before), files) if before else []
    return Revision(name or short, date, subject, _metrics(files), changed)


def _experiments(folder: Path, last: int) -> list[Revision]:
    """DVC keeps each one as refs/exps/AB/CDEF.../NAME, where ABCDEF... is the commit it was started from."""
    listed = _git(folder, "for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/exps")
    experiments = []
    for line in listed.splitlines():
        commit, _, ref = line.partition(" ")
        parts = ref.split("/")
        if len(parts) == 5 and len(parts[2] + parts[3]) == 40:
            experiments.append(_commit(folder, commit, parts[2] + parts[3], name=parts[4]))
    return experiments[:last][::-1]


def _files(folder: Path, commit: str) -> dict[str, bytes]:
    """The metrics and parameters of a commit, by path, as far as it has them."""
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit, "--", METRICS, PARAMETERS)
    paths = [path for path in listed.split("\0") if path]
    if not paths:
        return {}
    packed = subprocess.run(
        ["git", "archive", "--format=tar", commit, "--", *paths], cwd=folder, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        return {member.name: file.read() for member in archive if (file := archive.extractfile(member))}


def _metrics(files: dict[str, bytes]) -> Metrics:
    metrics: Metrics = {}
    for path, content in files.items():
        parts = path.removeprefix(f"{METRICS}/").removesuffix(".json").split("/")
        if path.startswith(METRICS) and len(parts) == 2 and (numbers := _parsed(json.loads, content)):
            metrics.setdefault(parts[0], {})[parts[1]] = numbers
    return metrics


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    old, new = (leaves(_parsed(YAML(typ="safe").load, files.get(PARAMETERS, b""))) for files in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"{name}: {old.get(name, MISSING)} \u2192 {new.get(name, MISSING)}" for name in names]


def _parsed(parse: Callable[[bytes], Any], text: bytes) -> dict[str, Any]:
    """The content of a file; empty where it cannot be parsed, such as one that was committed with conflict markers."""
    try:
        return parse(text) or {}
    except (ValueError, YAMLError):
        return {}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
