"""The choice of layers, against choices by hand."""

import pytest

from tinybert.errors import InputError
from tinybert.pruning.layers import choose_layers


@pytest.mark.parametrize(
    ("rule", "student", "teacher", "layers"),
    [
        ("first", 2, 5, [0, 1]),
        ("last", 2, 5, [3, 4]),
        ("uniform", 2, 5, [1, 4]),
        ("uniform", 3, 5, [0, 2, 4]),
        ("uniform", 5, 12, [1, 3, 6, 8, 11]),
        ("uniform", 1, 7, [6]),
        ("uniform", 5, 5, [0, 1, 2, 3, 4]),
        ([0, 3], 2, 5, [0, 3]),
    ],
)
def test_layers_by_rule(rule: str | list[int], student: int, teacher: int, layers: list[int]):
    assert choose_layers(rule, student=student, teacher=teacher) == layers


@pytest.mark.parametrize(("student", "teacher"), [(4, 12), (6, 12), (3, 12), (2, 4), (8, 24), (1, 5)])
def test_uniform_is_tinyberts_mapping_where_the_numbers_divide(student: int, teacher: int):
    mapping = [m * (teacher // student) for m in range(1, student + 1)]  # the paper counts layers from 1
    assert [n + 1 for n in choose_layers("uniform", student=student, teacher=teacher)] == mapping


@pytest.mark.parametrize("rule", ["first", "last", "uniform"])
def test_every_rule_chooses_as_many_different_layers_as_the_student_has(rule: str):
    for teacher in range(1, 25):
        for student in range(1, teacher + 1):
            layers = choose_layers(rule, student=student, teacher=teacher)
            assert layers == sorted(set(layers)) and len(layers) == student
            assert 0 <= layers[0] and layers[-1] < teacher


@pytest.mark.parametrize("layers", [[0], [0, 1, 2], [3, 1], [2, 2], [0, 5], []])
def test_a_list_that_does_not_fit_is_refused(layers: list[int]):
    with pytest.raises(InputError) as caught:
        choose_layers(layers, student=2, teacher=5)
    assert str(caught.value) == (
        f"layers {layers}: expected 2 different numbers (num_hidden_layers) in increasing order, "
        "from 0 to 4 (the teacher's layers)"
    )
    with pytest.raises(InputError, match="^num_hidden_layers is 3, but the teacher has 2 layers$"):
        choose_layers(layers, student=3, teacher=2)
