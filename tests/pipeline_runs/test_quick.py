"""The pipeline on its smallest preset, run by dvc: the README's commands, and what they give."""

import csv
import json
import re
import shutil
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks.clones import COMMIT, edit, output_hashes, run, stages_run
from tests.pipeline_runs import published
from tests.readme import blocks, command
from tinybert.data.documents import read_documents
from tinybert.inference.predictor import Predictor
from tinybert.tasks.tables import read_rows

TASKS = ("answers", "entities", "library")
OF_STUDENTS = ("finetune_student", "export", "evaluate", "measure", "release")
"""Stages of each task and student."""
HEADS = {"library": "text-classification", "entities": "token-classification"}
KINDS = {"library": "classification", "entities": "ner", "answers": "qa"}
TEXT = "Returns the sum of the array elements over a given axis."
LOSSES = "tinybert/distillation/losses.py"

pytestmark = pytest.mark.dvc


def instances(stage: str) -> set[str]:
    """Of a stage of each task and student."""
    return {f"{stage}@{task}-small" for task in TASKS}


def changed(project: Path) -> set[str]:
    """Stages with a changed parameter or dependency. `dvc status` names no stage that only follows from those."""
    return set(json.loads(run(project, "dvc", "status", "--json")))


def test_every_stage_ran_and_a_second_repro_runs_none(project: Path) -> None:
    assert "up to date" in run(project, "dvc", "status")
    assert stages_run(run(project, *command("dvc repro"))) == set()
    assert run(project, "git", "status", "--porcelain") == ""


def test_metrics_name_baseline_teacher_and_student_of_each_task(project: Path) -> None:
    shown = json.loads(run(project, *command("dvc metrics show"), "--json"))[""]["data"]
    for task in TASKS:
        models = {
            name: shown[f"reports/metrics/{task}/{name}.json"]["data"] for name in ("baseline", "teacher", "small")
        }
        assert all(row["score_low"] <= row["score"] <= row["score_high"] for row in models.values())
        student = models["small"]
        assert student["versus_teacher_low"] <= student["versus_teacher"] <= student["versus_teacher_high"]
        assert student["parameters"] < models["teacher"]["parameters"]


def test_the_report_has_every_task_and_the_history_this_commit(project: Path) -> None:
    page = (project / "reports/report.html").read_text(encoding="utf-8")
    for task in TASKS:
        assert f'id="task-{task}"' in page
    assert "reports/history.html: " in run(project, sys.executable, *command("python -m tools.history")[1:])
    assert "Stage durations" in (project / "reports/history.html").read_text(encoding="utf-8")
    ranked = run(project, sys.executable, *command("python -m tools.front")[1:])
    assert "workspace" in ranked and "small_int8" in ranked


@pytest.mark.parametrize("task", HEADS)
@pytest.mark.parametrize("model", ["teacher", "students/small"])
def test_a_model_works_in_a_stock_pipeline_without_a_warning(project: Path, task: str, model: str) -> None:
    from transformers import pipeline

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classify: Any = pipeline(cast(Any, HEADS[task]), model=str(project / "models/tasks" / task / model))
        predictions = classify(TEXT)
    labels = json.loads((project / "data/tasks" / task / "labels.json").read_text())
    assert {row.get("entity", row.get("label")) for row in predictions} <= set(labels)


def test_a_question_is_answered_by_stock_classes(project: Path) -> None:
    """Transformers 5 has no question-answering pipeline any more."""
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    folder = project / "models/tasks/answers/students/small"
    encoded = AutoTokenizer.from_pretrained(folder)("What is returned?", TEXT, return_tensors="pt")
    outputs = AutoModelForQuestionAnswering.from_pretrained(folder)(**encoded)
    assert outputs.start_logits.shape == outputs.end_logits.shape == encoded["input_ids"].shape


@pytest.mark.parametrize("task", TASKS)
def test_every_weight_of_a_student_is_in_its_file(project: Path, task: str) -> None:
    head = import_module(f"tinybert.tasks.{KINDS[task]}.model").HEAD
    _, info = head.from_pretrained(project / "models/tasks" / task / "students/small", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]


def test_another_depth_runs_shrink_and_what_follows_and_metrics_diff_shows_it(another_depth: Path) -> None:
    after = {"plan", "shrink@small", "gather", "distill@small", "report"}.union(*map(instances, OF_STUDENTS))
    assert stages_run((another_depth / ".git/run").read_text()) == after
    assert "library/small.json" in (another_depth / ".git/diff").read_text()
    for task in TASKS:
        folder = another_depth / "models/tasks" / task / "students/small"
        assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 1


def test_students_that_are_new_are_distilled_together_and_have_the_bytes_that_each_has_alone(copy: Path) -> None:
    (small,) = yaml.safe_load((copy / "params.yaml").read_text())["students"].values()
    shapes = {"a": {"num_hidden_layers": 1}, "b": {"hidden_size": 16}, "c": {"method": "first", "vocab_size": None}}
    edit(copy, {f"students.{name}": small | shape for name, shape in shapes.items()})
    output = run(copy, "dvc", "repro", *(f"distill@{name}" for name in shapes))
    of_each = {f"{stage}@{name}" for stage in ("shrink", "distill") for name in shapes}
    assert stages_run(output) == {"plan", "gather"} | of_each, "small stays as it is"
    first = output.partition("Running stage 'distill@")[2].partition("Running stage")[0]
    assert all(re.search(rf"^distill {name}: step 80/80 ", first, flags=re.MULTILINE) for name in shapes)
    assert output.count("resumes after step 80/80") == 2, "each in its own stage"
    together = output_hashes((copy / "dvc.lock").read_text())
    alone = run(copy, "dvc", "repro", "--force", "--single-item", "distill@b")
    assert set(re.findall(r"^distill (\w+): step", alone, flags=re.MULTILINE)) == {"b"}
    assert output_hashes((copy / "dvc.lock").read_text()) == together
    assert not [*(copy / ".state/resume").iterdir()]


def test_two_commits_compare_and_the_older_one_comes_from_the_cache(another_depth: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(another_depth, tmp_path / "copy", symlinks=True)
    assert "library/small.json" in run(copy, "dvc", "metrics", "diff", "HEAD~1")
    head, *_ = csv.reader(run(copy, *command("dvc exp show"), "--csv").splitlines())
    models = [f"reports/metrics/{task}/small.json:validation" for task in TASKS]
    assert [name for name in head if "." in name and name not in models] == ["students.small.num_hidden_layers"]
    run(copy, "git", "checkout", "-q", "HEAD~1", "--", "params.yaml")
    assert stages_run(run(copy, "dvc", "repro")) == {"report"}  # git keeps its outputs, not the cache
    hashes = [output_hashes(run(copy, "git", "show", f"{commit}dvc.lock")) for commit in ("HEAD~1:", "HEAD:")]
    assert output_hashes((copy / "dvc.lock").read_text()) == hashes[0] != hashes[1]


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0])
def test_the_readmes_python_runs(copy: Path, code: str) -> None:
    run(copy, sys.executable, "-c", code)


def test_a_task_of_eight_lines_runs_its_own_stages_and_the_report_and_unlabelled_rows_change_its_student(
    copy: Path,
) -> None:
    folder = copy / "data/raw/reviews"
    folder.mkdir()
    with open(folder / "train.csv", "w", newline="") as file:
        rows = [(f"a {word} film {n}", word) for n in range(40) for word in ("good", "bad")]
        csv.writer(file).writerows([("review", "sentiment"), *rows])
    more = [["body"], *([f"one more film {n}"] for n in range(12)), ["a good film 3"]]
    with open(folder / "unlabelled.csv", "w", newline="") as file:
        csv.writer(file).writerows(more)
    run(copy, "dvc", "add", "data/raw/reviews")
    (example,) = blocks("yaml")
    assert len(example.splitlines()) <= 1 + 8  # below `tasks:`
    edit(copy, {"tasks.reviews": yaml.safe_load(example)["tasks"]["reviews"]})
    own = {f"{stage}@reviews-small" for stage in OF_STUDENTS} | {"prepare_task@reviews", "teach@reviews"}
    first = {"finetune_teacher@reviews", "floor@reviews", "cloze@reviews", "task_texts"}
    assert stages_run(run(copy, "dvc", "repro")) == {"plan", "report"} | first | own
    assert (copy / "reports/metrics/reviews/small.json").is_file()

    columns = {"text": "body"}
    edit(copy, {"tasks.reviews.data.unlabelled": {"source": "data/raw/reviews/unlabelled.csv", "columns": columns}})
    prepared = {"prepare_task@reviews", "teach@reviews"}
    assert stages_run(run(copy, "dvc", "repro", "plan", "teach@reviews")) == {"plan"} | prepared
    assert changed(copy) == {"floor@reviews", "finetune_student@reviews-small", "report"}
    counts = json.loads((copy / "data/teaching/reviews/teaching.json").read_text())
    assert counts["rows"]["unlabelled"] == 12 and sum(counts["dropped"].values()) == 1


def test_cloze_questions_are_asked_of_the_corpus_and_change_the_students_of_their_task(copy: Path) -> None:
    edit(copy, {"tasks.answers.teaching": {"cloze_questions": 1}})
    assert stages_run(run(copy, "dvc", "repro", "plan", "teach@answers")) == {"plan", "cloze@answers", "teach@answers"}
    assert changed(copy) == {"finetune_student@answers-small", "report"}
    extra = pq.read_table(copy / "data/teaching/answers/extra.parquet").to_pylist()
    lines = " ".join(" ".join(read_documents(copy / "data/corpus/train")).split())
    assert len(extra) > 500 and all(row["context"] in lines and row["answers"] is None for row in extra)
    counts = json.loads((copy / "data/teaching/answers/teaching.json").read_text())["rows"]
    assert counts["cloze_questions"] == len(extra)


def test_every_published_form_is_prepared_and_two_more_kinds_predict_as_they_were_evaluated(copy: Path) -> None:
    forms = published.write(copy / "data/raw")
    params = (copy / "params.yaml").read_text()
    edit(copy, {"prepare_corpus.source": "data/raw/wikipedia", "prepare_corpus.min_characters": 20})
    run(copy, "dvc", "repro", "plan")
    assert stages_run(run(copy, "dvc", "repro", "--single-item", "prepare_corpus")) == {"prepare_corpus"}
    (copy / "params.yaml").write_text(params)
    edit(copy, {f"tasks.{name}": task for name, task in forms.items()})
    run(copy, "dvc", "repro", "plan")
    targets = [f"prepare_task@{name}" for name in forms]
    assert stages_run(run(copy, "dvc", "repro", *targets)) == {*targets}
    for name in forms:
        assert pq.read_table(copy / f"data/tasks/{name}/train.parquet").num_rows >= 10, name
        assert pq.read_table(copy / f"data/tasks/{name}/test.parquet").num_rows >= 1, name
    # The kinds that the preset's tasks are not of.
    run(copy, "dvc", "repro", "release@several-small", "release@saved-small")
    for name, found in (("several", "labels"), ("saved", "score")):
        requests = [{"text": row["text"]} for row in read_rows(copy / "data/tasks" / name, "test")]
        results = Predictor(copy / "models/release" / name / "small")(requests)
        evaluated = pq.read_table(copy / f"reports/tasks/{name}/students/small/predictions.parquet")
        expected = evaluated["student_int8"].to_pylist()
        assert [result[found] for result in results] == [pytest.approx(value, abs=1e-4) for value in expected], name


def test_a_changed_default_or_loss_changes_the_stages_that_depend_on_it_and_a_comment_none(copy: Path) -> None:
    edit(copy, {"tasks.entities.teacher": {"epochs": 3}})
    run(copy, "dvc", "repro", "plan")
    run(copy, *COMMIT, "a task that overrides a default")
    before = changed(copy)
    assert before == {"finetune_teacher@entities", "report"}

    run(copy, *command("dvc exp run -S finetuning"), "plan")
    assert changed(copy) == before | {"finetune_teacher@answers", "finetune_teacher@library"}
    run(copy, "git", "checkout", "-q", "params.yaml")
    run(copy, *command("dvc exp run -S ++tasks"), "plan")
    assert changed(copy) == before | {"finetune_teacher@library"}
    run(copy, "git", "checkout", "-q", "HEAD~1", "--", "params.yaml")

    code = (copy / LOSSES).read_text()
    (copy / LOSSES).write_text(f"{code}\n# a comment\n")
    assert stages_run(run(copy, "dvc", "repro")) == {"plan"}
    (copy / LOSSES).write_text(code.replace("return ", "return 1.0 * ", 1))
    assert stages_run(run(copy, "dvc", "repro", "plan")) == {"plan"}
    assert changed(copy) == {"distill@small", *instances("finetune_student")}
