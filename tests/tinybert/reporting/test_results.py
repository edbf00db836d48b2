"""Results merged over students: the few numbers that git keeps, and what `dvc plots` reads."""

import json
from pathlib import Path

import torch
from accelerate import Accelerator

from stages.report import Parameters
from tests.tinybert.reporting.conftest import finish_and_report, make_report
from tests.tinybert.reporting.finished import HOSTILE, MEASURED, evaluated, findings, finish, floor
from tinybert.files import read_object, read_table, write_json
from tinybert.reporting.results import (
    Results,
    group_machines,
    headline,
    latency_by_model,
    merge_students,
    series,
    speed,
)
from tinybert.training.devices import describe

TIMED = {"median_ms", "p95_ms", "p99_ms", "ratio", "sequences_per_second"}
TASKS = ("answers", "entities", "library")


def numbers(folder: Path) -> dict[str, dict]:
    metrics = folder / "reports/metrics"
    files = sorted(metrics.rglob("*.json"))
    return {file.relative_to(metrics).as_posix(): json.loads(file.read_text()) for file in files}


def files_of(student: str, *, task: str = "library") -> dict[str, dict]:
    metrics, found = evaluated(task, "accuracy", student=student), findings(task, text="numpy")
    return {"metrics": metrics, "findings": found, "measure": MEASURED}


def results(*students: str, task: str = "library") -> Results:
    files = {student: files_of(student, task=task) for student in students}
    return merge_students(files, floor(task, "accuracy"), metric="accuracy")


def test_each_task_and_model_has_one_file_and_all_have_the_same_keys(reported: Path) -> None:
    metrics = numbers(reported)
    assert not TIMED & {name for values in metrics.values() for name in values}
    models = [f"{model}.json" for model in ("baseline", "small", "small_int8", "teacher")]
    expected = [f"{task}/{model}" for task in TASKS[:2] for model in models]
    expected += ["heldout-mlm/small.json", "heldout-mlm/teacher.json"]
    expected += [f"library/{model}" for model in (*models[:3], "teacher.json", "tfidf.json")]
    assert list(metrics) == expected
    assert metrics["library/small.json"] == {
        **{"metric": "accuracy", "score": 0.69, "score_low": 0.66, "score_high": 0.72, "retained": 1.0192},
        **{"versus_teacher": 0.013, "versus_teacher_low": -0.007, "versus_teacher_high": 0.033},
        **{"validation": 0.71, "ece": 0.08123, "ece_scaled": 0.02345, "temperature": 1.61803},
        **{"parameters": 1520130, "multiply_adds": 56623104, "bytes": 6090000},
    }
    assert set(metrics["library/teacher.json"]) == set(metrics["library/small.json"]) - {
        *("retained", "versus_teacher", "versus_teacher_low", "versus_teacher_high")
    }
    for model, score in (("baseline", 0.22), ("tfidf", 0.61)):
        assert metrics[f"library/{model}.json"] == {
            **{"metric": "accuracy", "score": score, "validation": round(score + 0.02, 5)},
            **{"score_low": round(score - 0.03, 5), "score_high": round(score + 0.03, 5)},
        }
    without_classes = set(metrics["library/small.json"]) - {"ece", "ece_scaled", "temperature"}
    assert set(metrics["answers/small.json"]) == without_classes
    assert metrics["heldout-mlm/teacher.json"] == {"metric": "accuracy", "score": 0.25856, "parameters": 5463554}


def test_two_students_have_files_of_their_own_and_the_first_brings_teacher_and_baseline(
    reported: Path, reported_two: Path
) -> None:
    one, two = numbers(reported), numbers(reported_two)
    assert {name: two[name] for name in one} == one
    tiny = [f"{task}/{model}" for task in TASKS for model in ("tiny.json", "tiny_int8.json")]
    assert sorted(set(two) - set(one)) == sorted([*tiny, "heldout-mlm/tiny.json"])
    assert (two["library/tiny.json"]["score"], two["library/tiny.json"]["versus_teacher"]) == (0.49, -0.187)
    for name in ("speed/library/tiny_int8.json", "curves/distill-tiny.tsv"):
        assert (reported_two / "reports" / name).is_file()


def test_models_of_two_students_stand_under_one_another(reported_two: Path) -> None:
    order = ["teacher", "small", "small_int8", "tiny", "tiny_int8"]
    sizes = read_table(reported_two / "reports/sizes.tsv")
    assert [row["model"] for row in sizes] == order * 3
    assert [(row["parameters"], row["score"]) for row in sizes if row["task"] == "library"][1] == ("1520130", "0.69")
    confusion = read_table(reported_two / "reports/confusion/library.tsv")
    assert list(dict.fromkeys(row["model"] for row in confusion)) == ["teacher", "small", "tiny"]
    merged = results("small", "tiny")
    for table in (merged.compared, merged.scores, merged.validation):
        assert list(table) == [*order, "tfidf", "baseline"]
    assert list(merged.calibration) == order
    assert [row["model"] for row in merged.throughput] == ["teacher", "small_int8", "tiny_int8"]
    assert list(merged.errors["tiny"][0]["predictions"]) == ["teacher", "tiny", "tiny_int8"]


def test_without_a_distilled_vocabulary_head_there_is_no_held_out_mlm(tmp_path: Path, parameters: Parameters) -> None:
    finish(tmp_path, parameters)
    distilled = tmp_path / "reports/distill/small/metrics.json"
    write_json(distilled, read_object(distilled) | {"heldout_mlm": {}})
    make_report(tmp_path, parameters)
    assert not (tmp_path / "reports/metrics/heldout-mlm").exists()
    page = (tmp_path / "reports/report.html").read_text()
    assert "3.6 times smaller" in page and "Held-out MLM accuracy" not in page


def test_an_unknown_model_is_there_too() -> None:
    files = files_of("small") | {"measure": MEASURED | {"models": {"pruned": {"parameters": 7}}}}
    for table in ("compared", "validation"):
        files["metrics"][table]["pruned"] = files["metrics"][table]["student"]
    models = headline(merge_students({"small": files}, floor("library", "accuracy"), metric="accuracy"))
    assert (models["pruned"]["score"], models["pruned"]["parameters"]) == (0.69, 7)
    assert "parameters" not in models["small"]


def test_speed_is_that_of_the_fastest_variant_at_the_longest_length() -> None:
    latency = results("small").latency
    assert speed(latency) == {"small": {"speed_up": 4.5}, "small_int8": {"speed_up": 10.0}}
    assert {row["length"] for rows in latency_by_model(latency).values() for row in rows} == {128}


def test_a_curve_is_written_in_long_form_without_empty_cells(reported: Path) -> None:
    rows = [{"step": "1", "learning_rate": "0.1", "loss": "2.5", "validation": ""}]
    assert series(rows) == [{"step": "1", "series": "loss", "value": "2.5"}]
    written = read_table(reported / "reports/curves/library-small.tsv")
    assert {row["series"] for row in written} == {"hard", "soft", "validation"}
    assert all(float(row["value"]) > 0 and int(row["step"]) > 0 for row in written)


def test_confusion_has_a_row_for_each_pair_of_labels_of_any_text_and_none_without_classes(reported: Path) -> None:
    written = read_table(reported / "reports/confusion/library.tsv")
    assert len(written) == 2 * 4 * 4
    shown = HOSTILE.replace("<", "\u2039")
    assert {row["gold"] for row in written} == {shown, "pandas", "scipy", "torch"}
    assert sum(int(row["rows"]) for row in written if row["gold"] == row["predicted"] == shown) == 240
    assert not (reported / "reports/confusion/answers.tsv").exists()


def test_where_no_task_has_classes_there_is_a_file_that_git_keeps(tmp_path: Path, parameters: Parameters) -> None:
    finish_and_report(tmp_path, parameters.model_copy(update={"tasks": {"answers": parameters.tasks["answers"]}}))
    (file,) = (tmp_path / "reports/confusion").iterdir()
    assert file.read_text() == "model\tgold\tpredicted\trows\n"


def test_stages_of_one_machine_are_one_entry() -> None:
    small, large = {"threads": 2}, {"threads": 16}
    assert group_machines({"pretrain": large, "distill@small": small, "evaluate@a-small": small}) == [
        {"threads": 16, "stages": ["pretrain"]},
        {"threads": 2, "stages": ["distill@small", "evaluate@a-small"]},
    ]


def test_every_training_and_evaluation_has_a_machine(reported_two: Path) -> None:
    (machine,) = json.loads((reported_two / "reports/machines.json").read_text())
    assert len(machine["stages"]) == 1 + 2 + 2 * 3 + 2 * 3 + 2 * 3
    expected = {"distill@tiny", "teach@library", "finetune_student@library-tiny", "evaluate@answers-small"}
    assert expected <= set(machine["stages"])


def test_a_machine_is_described_by_what_this_process_uses() -> None:
    machine = describe(Accelerator(cpu=True, mixed_precision="no"))
    assert machine["threads"] == torch.get_num_threads()
    assert machine["packages"]["torch"] == torch.__version__
    assert (machine["gpu"], machine["precision"], machine["processes"]) == (None, "float32", 1)
    assert machine["processor"] != "unknown"
