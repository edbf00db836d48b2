"""The shapes that fit a budget, counted on the student that pruning makes of them."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import BertConfig, BertForPreTraining

from stages.parameters.sections import Shape, Student
from tinybert.errors import InputError
from tinybert.model.checkpoint import load_checkpoint, save
from tinybert.pruning.prune import prune
from tools import shape
from tools.shape import Budget, fitting, read_teacher

SIZES: dict[str, Any] = {
    "vocab_size": 199, "hidden_size": 200, "num_attention_heads": 10, "num_hidden_layers": 4, "intermediate_size": 507,
    "max_position_embeddings": 40,
}  # fmt: skip
LENGTH, LABELS = 33, 2


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    save(BertForPreTraining(BertConfig(**SIZES)), folder)
    return folder


def own_sizes(teacher: Path, student: Student) -> dict[str, int]:
    """Parameters, and the sum of multiply-adds in docs/large.md, of what pruning makes of the teacher."""
    fields = set(Shape.model_fields) - {"vocab_size"}
    shape: dict[str, Any] = student.model_dump(include=fields) | {"method": "first"}
    made = prune(load_checkpoint(teacher), [], **shape).student
    n, H, F = student.num_hidden_layers, student.hidden_size, student.intermediate_size
    return {
        "parameters": sum(weight.numel() for weight in made.bert.parameters()) + (H + 1) * LABELS,
        "multiply_adds": LENGTH * n * (4 * H * H + 2 * H * F + 2 * LENGTH * H) + H * H + H * LABELS,
    }


@pytest.mark.parametrize(("unit", "size"), [("parameters", 400_000), ("multiply_adds", 9_000_000)])
def test_each_student_is_the_widest_of_its_depth_within_the_budget(unit: str, size: int, teacher: Path) -> None:
    students = fitting(read_teacher(teacher), Budget(unit, size, LENGTH), depths=[3, 1, 2])
    assert [student.num_hidden_layers for student in students] == [1, 2, 3]
    for student in students:
        assert own_sizes(teacher, student)[unit] <= size
        width = student.hidden_size + 40  # the multiples of ten heads and of eight channels
        wider = student.model_copy(update={"hidden_size": width, "intermediate_size": width * 507 // 200})
        assert width > 200 or own_sizes(teacher, wider)[unit] > size


def test_the_command_prints_a_valid_section_with_exact_sizes(
    teacher: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--parameters", "0.5e6", "--length", str(LENGTH), "--teacher", str(teacher)]
    monkeypatch.setattr(sys, "argv", ["shape", *arguments])
    shape.main()
    printed = capsys.readouterr().out
    students = {name: Student.model_validate(entry) for name, entry in yaml.safe_load(printed)["students"].items()}
    assert list(students) == ["l1_h200", "l2_h120", "l4_h80"]
    largest = students["l1_h200"].model_copy(update={"num_hidden_layers": 4})
    whole = own_sizes(teacher, largest)
    for name, student in students.items():
        own = own_sizes(teacher, student)
        parameters, products = (own[unit] / 1e6 for unit in ("parameters", "multiply_adds"))
        figures = f"{parameters:.2f}M parameters, {products:.1f}M multiply-adds at {LENGTH} tokens"
        shares = " and ".join(f"1/{whole[unit] / own[unit]:.1f}" for unit in own)
        assert f"  {name}:  # {figures}; {shares} of the teacher\n" in printed


def test_heads_stay_until_each_would_have_too_few_channels(teacher: Path) -> None:
    budgets = (Budget("parameters", size, LENGTH) for size in (10**9, 400_000, 60_000, 12_000, 4_000))
    students = [fitting(read_teacher(teacher), budget, depths=[2])[0] for budget in budgets]
    assert [(student.hidden_size, student.num_attention_heads) for student in students] == [
        (200, 10), (120, 10), (40, 5), (16, 2), (8, 1),
    ]  # fmt: skip
    assert [student.intermediate_size for student in students] == [507, 304, 101, 40, 20]


def test_another_vocabulary_counts_instead_of_the_teachers(teacher: Path) -> None:
    budgets = (Budget("parameters", 400_000, LENGTH, size) for size in (None, 50))
    (own,), (other,) = (fitting(read_teacher(teacher), budget, depths=[2]) for budget in budgets)
    assert own.vocab_size is None and other.vocab_size == 50 and other.hidden_size >= own.hidden_size
    sizes = [shape.sizes(read_teacher(teacher), student, LENGTH)["parameters"] for student in (own, other)]
    assert sizes[0] - sizes[1] == (199 - 50) * own.hidden_size


@pytest.mark.parametrize(
    ("budget", "depths", "message"),
    [
        (Budget("parameters", 500, LENGTH), None, r"no student of \[1, 2, 4\] layers has 500 parameters or fewer"),
        (Budget("multiply_adds", 9, LENGTH), [3], r"no student of \[3\] layers has 9 multiply-adds or fewer"),
        (Budget("parameters", 10**6, LENGTH), [2, 5], "--layers 5: the teacher has 4"),
        (Budget("parameters", 10**6, LENGTH, 200), None, "--vocab-size 200: the teacher has 199 entries"),
        (Budget("parameters", 10**6, 41), None, "--length 41: the teacher has 40 positions"),
    ],
)
def test_what_cannot_be(budget: Budget, depths: list[int] | None, message: str, teacher: Path) -> None:
    with pytest.raises(InputError, match=message):
        fitting(read_teacher(teacher), budget, depths=depths)
