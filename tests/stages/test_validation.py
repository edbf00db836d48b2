"""All problems of params.yaml in one message."""

from pathlib import Path
from typing import Any, Literal

import pytest

from stages.parameters.section import Name, Positive, Section
from stages.parameters.validation import problems, read_file, validate
from tinybert.errors import InputError


class Inner(Section):
    steps: Positive
    rate: float


class Outer(Section):
    inner: Inner
    many: dict[Name, Inner]
    rule: Literal["first", "last"] | list[int]


INNER: dict[str, Any] = {"steps": 3, "rate": 0.5}
VALID: dict[str, Any] = {"inner": INNER, "many": {"a": INNER}, "rule": [1, 2]}


def test_valid_values_become_a_frozen_model():
    model = validate(Outer, VALID)
    assert model.model_dump() == VALID
    with pytest.raises(ValueError, match="frozen"):
        model.rule = "last"
    assert problems(Outer, VALID | {"inner": INNER | {"rate": 1}}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"inner": INNER | {"steps": True}}, "inner.steps: expected a valid integer, got True"),
        ({"xyz": 1}, "xyz: is not a known key"),
        ({"many": "x" * 500}, f"many: expected a valid dictionary, got '{'x' * 56}..."),
        ({"rule": [1, "a"]}, "rule: expected 'first' or 'last' or a valid integer, got [1, 'a']"),
    ],
    ids=["truth value", "a key unlike any other", "long value", "union"],
)
def test_a_problem_is_one_line(changes: dict[str, Any], expected: str):
    assert problems(Outer, VALID | changes) == [expected]


def test_the_section_is_named_before_the_key():
    with pytest.raises(InputError) as caught:
        validate(Inner, INNER | {"steps": -1}, section=("tasks", "library"))
    assert str(caught.value) == (
        "params.yaml is not valid:\n  tasks.library.steps: expected greater than or equal to 1, got -1"
    )


def test_a_value_that_is_no_section_is_refused():
    number: Any = 3
    assert problems(Outer, number) == ["(the whole file): expected a valid dictionary or instance of Outer, got 3"]


def test_a_file_is_read_as_yaml_1_2(tmp_path: Path):
    file = tmp_path / "p.yaml"
    file.write_text("a: 1e-4\nb: 0.0003\nc: yes\nd: 010\ne: [1, 2]\nf: null\n", encoding="utf-8")
    assert read_file(file) == {"a": 1e-4, "b": 0.0003, "c": "yes", "d": 10, "e": [1, 2], "f": None}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        *[(content, " is not YAML: ") for content in (b"a: [1", b"a: 1\na: 2\n", b"\xff\xfe\x00", b"a: 'x")],
        (b"- 1\n- 2\n", ": expected sections with keys, got [1, 2]"),
        (b"", ": expected sections with keys, got None"),
        (b"steps", ": expected sections with keys, got 'steps'"),
    ],
)
def test_a_file_that_is_not_yaml_or_has_no_sections_is_named_in_one_line(tmp_path: Path, content: bytes, expected: str):
    file = tmp_path / "p.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_file(file)
    assert str(caught.value).startswith(f"{file}{expected}") and "\n" not in str(caught.value)
