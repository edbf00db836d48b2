"""What `teach` writes for the students of a task, and what `finetune_student` makes of it."""

import copy
import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stages import finetune_student
from stages.pipeline.stage import Run
from tests.stages.many_processes import tiny
from tinybert.distillation.teaching import read_logits
from tinybert.errors import InputError
from tinybert.finetuning.predict import Scorer
from tinybert.model.checkpoint import load_checkpoint, save
from tinybert.tasks.classification.rows import SCHEMA
from tinybert.tasks.tables import read_rows, write_rows
from tinybert.tasks.unlabelled import unlabelled_schema
from tinybert.training.devices import set_up

DATA, TAUGHT, STUDENT = Path("data/tasks/t"), Path("data/teaching/t"), Path("models/tasks/t/students/s")
UNLABELLED, CLOZE = Path("data/unlabelled/t.parquet"), Path("data/cloze/t.parquet")
INPUTS = pa.schema([(name, pa.string()) for name in ("text", "text_pair")])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a teacher was fine-tuned, and a student distilled."""
    folder = tiny.make(tmp_path_factory.mktemp("tiny") / "project")
    with chdir(folder):
        for name in ("pretrain", "distill", "finetune_teacher"):
            run(name)
    return folder


@pytest.fixture
def project(tuned: Path, tmp_path: Path) -> Iterator[None]:
    with chdir(shutil.copytree(tuned, tmp_path / "project")):
        yield


def run(name: str, **task: Any) -> None:
    """A stage, with other parameters of the task than those of `tiny`."""
    stage, parameters = import_module(f"stages.{name}"), tiny.parameters(name)
    parameters.get("task", {}).update(task)
    shutil.rmtree("resume", ignore_errors=True)
    stage.main(stage.Parameters.model_validate(parameters), Run(tiny.KEYS[name], Path("resume") / name))


def unlabelled(*rows: dict[str, Any]) -> None:
    table = [{name: row.get(name) for name in SCHEMA.names} for row in rows]
    write_rows(UNLABELLED, table, unlabelled_schema(SCHEMA))


def scorer() -> Scorer:
    accelerator = set_up(threads=1, precision="float32", cpu=True)
    options: Any = {"encoding": tiny.TASK["encoding"], "decoding": {}, "accelerator": accelerator}
    return Scorer("classification", data=DATA, checkpoint=STUDENT.parents[1] / "teacher", **options)


def test_known_rows_are_dropped_and_counted_and_the_teacher_answers_the_others(project: None) -> None:
    train, validation, test = (read_rows(DATA, split) for split in ("train", "validation", "test"))
    new = [{"text": f"w1 w{n} w3"} for n in range(4)]
    unlabelled(train[0], new[0], validation[1], new[1], new[0], test[2], new[2], new[3])
    run("teach")
    counts = json.loads((TAUGHT / "teaching.json").read_text())
    assert counts["rows"] == {"labelled": 13, "unlabelled": 4, "new_pairs": 0, "cloze_questions": 0, "augmented": 0}
    assert counts["dropped"] == {"held_out": 2, "duplicate": 2}
    extra = read_rows(TAUGHT, "extra")
    assert extra == [{"text": row["text"], "text_pair": None, "label": None} for row in new]
    score = scorer()
    teacher = score.task.build(STUDENT.parents[1] / "teacher", labels=score.labels, seed=0)
    parts = [score.logits(teacher, score.encode(rows).features) for rows in (train, extra)]
    np.testing.assert_array_equal(np.stack(read_logits(TAUGHT / "logits.safetensors")), np.concatenate(parts))


def test_labelled_rows_get_the_bits_that_they_have_without_extra_rows(project: None) -> None:
    run("teach")
    several = read_logits(TAUGHT / "logits.safetensors")
    assert len(several) == 13 + 4
    unlabelled()
    run("teach")
    np.testing.assert_array_equal(np.stack(read_logits(TAUGHT / "logits.safetensors")), np.stack(several[:13]))


def test_a_student_is_that_of_logits_computed_in_its_own_run(project: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run("teach")
    run("finetune_student")
    expected = (STUDENT / "model.safetensors").read_bytes()

    def computed(features: list[dict[str, Any]], logits: object) -> None:
        score = scorer()
        teacher = score.task.build(STUDENT.parents[1] / "teacher", labels=score.labels, seed=0)
        parts = (score.logits(teacher, part) for part in (features[:13], features[13:]))
        for feature, own in zip(features, [row for part in parts for row in part], strict=True):
            feature["teacher_logits"] = own

    monkeypatch.setattr(finetune_student, "read_logits", lambda file: None)
    monkeypatch.setattr(finetune_student, "attach_logits", computed)
    run("finetune_student")
    assert (STUDENT / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("alone", ["gold labels", "hard loss"])
def test_extra_rows_do_not_reach_a_student_without_a_loss_to_the_teacher(project: None, alone: str) -> None:
    options = copy.deepcopy(tiny.parameters("finetune_student")["task"]["student"])
    if alone == "gold labels":
        options["distill"] = False
    else:
        options["prediction"]["soft"] = 0.0
        options["intermediate"]["epochs"] = 0
    results = []
    for extra in ([{"text": "w1 w2"}, {"text": "w3"}], []):
        unlabelled(*extra)
        run("teach")
        run("finetune_student", student=options)
        results.append((STUDENT / "model.safetensors").read_bytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("spare", [0, 20_000])
def test_the_memory_that_there_is_changes_no_byte(project: None, monkeypatch: pytest.MonkeyPatch, spare: int) -> None:
    run("teach")
    run("finetune_student")
    expected = (STUDENT / "model.safetensors").read_bytes()
    asked: list[object] = []
    monkeypatch.setattr(finetune_student, "spare_memory", lambda accelerator: asked.append(accelerator) or spare)
    run("finetune_student")
    assert len(asked) == 1 and (STUDENT / "model.safetensors").read_bytes() == expected


def test_a_student_that_imitates_no_layer_is_that_of_no_distillation_at_all(project: None) -> None:
    def bytes_of(*, stages: dict[str, dict[str, Any]]) -> bytes:
        for name, changes in stages.items():
            parameters = copy.deepcopy(tiny.parameters(name))
            for section, values in changes.items():
                parameters[section] |= values
            shutil.rmtree("resume", ignore_errors=True)
            stage = import_module(f"stages.{name}")
            stage.main(stage.Parameters.model_validate(parameters), Run(tiny.KEYS[name], Path("resume") / name))
        return (STUDENT / "model.safetensors").read_bytes()

    run("teach")
    distilled = bytes_of(stages={"distill": {}, "finetune_student": {}})
    options = tiny.parameters("finetune_student")["task"]
    off = options | {"student": options["student"] | {"distill": False}}
    plain = bytes_of(stages={"distill": {"distill": {"steps": 0}}, "finetune_student": {"task": off}})
    floor: Any = {"student": {"teacher_layers": None}}
    assert bytes_of(stages={"distill": floor, "finetune_student": floor}) == plain != distilled


def test_extra_rows_train_both_phases(project: None) -> None:
    students = []
    for epochs in (0, 1):
        options = copy.deepcopy(tiny.parameters("finetune_student")["task"]["student"])
        options["intermediate"]["epochs"] = epochs
        for extra in ([{"text": "w1 w2"}], []):
            unlabelled(*extra)
            run("teach")
            run("finetune_student", student=options)
            students.append((STUDENT / "model.safetensors").read_bytes())
    assert len(set(students)) == 4


def test_new_pairs_of_one_text_are_refused_by_name(project: None) -> None:
    with pytest.raises(InputError) as refused:
        run("teach", teaching={"new_pairs": 2})
    assert str(refused.value) == ("params.yaml: tasks.t.teaching.new_pairs is 2: expected rows with two texts each")
    assert not TAUGHT.exists()


def test_new_pairs_are_extra_rows(project: None) -> None:
    for split in ("train", "validation", "test"):
        rows = [row | {"text_pair": f"w{n} w{n + 20}"} for n, row in enumerate(read_rows(DATA, split))]
        write_rows(DATA / f"{split}.parquet", rows, SCHEMA)
    run("teach", teaching={"new_pairs": 2, "seed": 3})
    train, extra = read_rows(DATA, "train"), read_rows(TAUGHT, "extra")
    texts = {(row["text"], row["text_pair"]) for row in extra[4:]}
    assert len(texts) == json.loads((TAUGHT / "teaching.json").read_text())["rows"]["new_pairs"] == 26
    assert not texts & {(row["text"], row["text_pair"]) for row in train}
    assert {row["label"] for row in extra} == {None}


def test_cloze_questions_are_extra_rows_but_for_those_of_held_out_rows(project: None) -> None:
    train, validation = read_rows(DATA, "train"), read_rows(DATA, "validation")
    write_rows(CLOZE, [{"text": text, "text_pair": None} for text in ("w1 w2 w3 w4", validation[0]["text"])], INPUTS)
    run("teach")
    counts = json.loads((TAUGHT / "teaching.json").read_text())
    assert (counts["rows"]["cloze_questions"], counts["dropped"]) == (1, {"held_out": 1, "duplicate": 0})
    assert read_rows(TAUGHT, "extra")[-1] == {"text": "w1 w2 w3 w4", "text_pair": None, "label": None}
    assert len(read_logits(TAUGHT / "logits.safetensors")) == len(train) + 5


def test_augmented_rows_are_extra_rows(project: None) -> None:
    unlabelled()
    run("teach", teaching={"augmentation": {"copies": 2, "probability": 0.6}})
    counts = json.loads((TAUGHT / "teaching.json").read_text())
    train, extra = read_rows(DATA, "train"), read_rows(TAUGHT, "extra")
    assert 13 < counts["rows"]["augmented"] == len(extra) == 26 - sum(counts["dropped"].values())
    assert {len(row["text"].split()) for row in extra} <= {len(row["text"].split()) for row in train}
    assert len(read_logits(TAUGHT / "logits.safetensors")) == 13 + len(extra)


def test_augmentation_without_an_mlm_head_is_refused_by_name(project: None) -> None:
    teacher = load_checkpoint(Path("models/teacher"))
    save(teacher, Path("models/teacher"), head=False)
    with pytest.raises(InputError, match="^params.yaml: tasks.t.teaching: expected augmentation.copies of 0, got 1"):
        run("teach", teaching={"augmentation": {"copies": 1}})
    assert not TAUGHT.exists()
