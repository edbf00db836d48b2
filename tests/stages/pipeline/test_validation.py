"""What is wrong in params.yaml, said in one message."""

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from stages.parameters.section import Name, Positive, Section
from stages.pipeline.validation import problems, read_file, refuse, validate
from tinybert.errors import InputError


class Inner(Section):
    steps: Positive
    rate: float


class Outer(Section):
    inner: Inner
    optional: Inner | None
    many: dict[Name, Inner]
    rule: Literal["first", "last"] | list[int]


INNER: dict[str, Any] = {"steps": 3, "rate": 0.5}
VALID: dict[str, Any] = {"inner": INNER, "optional": None, "many": {"a": INNER}, "rule": "first"}


def said(**changes: Any) -> list[str]:
    return problems(Outer, VALID | changes)


def test_what_is_valid_becomes_a_frozen_model():
    model = validate(Outer, VALID | {"rule": [1, 2]})
    assert model.model_dump() == VALID | {"rule": [1, 2]}
    assert said() == []
    with pytest.raises(ValueError, match="frozen"):
        model.rule = "last"


def test_a_whole_number_is_a_rate_but_a_text_and_a_truth_value_are_not():
    assert said(inner=INNER | {"rate": 1}) == []
    assert said(inner=INNER | {"rate": "1"}) == ["inner.rate: expected a valid number, got '1'"]
    assert said(inner=INNER | {"steps": True}) == ["inner.steps: expected a valid integer, got True"]


@pytest.mark.parametrize("place", ["inner", "optional", "many.a"])
def test_a_misspelt_key_is_said_with_the_one_that_is_near(place: str):
    wrong = {"stesp": 3, "rate": 0.5}
    lines = said(many={"a": wrong}) if place == "many.a" else said(**{place: wrong})
    assert lines == [f"{place}.steps: is missing", f"{place}.stesp: is not a known key; did you mean steps?"]


def test_a_key_that_is_near_to_none_gets_no_guess():
    assert said(xyz=1) == ["xyz: is not a known key"]


def test_all_that_is_wrong_is_said_at_once():
    assert said(inner=INNER | {"steps": 0}, many=3, rule=[1, "a"]) == [
        "inner.steps: expected greater than or equal to 1, got 0",
        "many: expected a valid dictionary, got 3",
        "rule: expected 'first' or 'last' or a valid integer, got [1, 'a']",
    ]


def test_what_a_union_got_is_said_once():
    assert said(rule="middle") == ["rule: expected 'first' or 'last' or a valid list, got 'middle'"]


def test_a_long_value_is_cut():
    (line,) = said(many="x" * 500)
    assert line.startswith("many: expected a valid dictionary, got 'xxx") and len(line) < 120


def test_the_section_is_named_before_the_key():
    given = INNER | {"steps": -1}
    assert problems(Inner, given, section=("tasks", "library")) == [
        "tasks.library.steps: expected greater than or equal to 1, got -1"
    ]
    with pytest.raises(InputError) as caught:
        validate(Inner, given, section=("distill",))
    assert str(caught.value) == (
        "params.yaml is not valid:\n  distill.steps: expected greater than or equal to 1, got -1"
    )


def test_no_problems_are_not_refused():
    refuse([])
    with pytest.raises(InputError, match=r"^params.yaml is not valid:\n  a: b\n  c: d$"):
        refuse(iter(["a: b", "c: d"]))


def test_a_value_that_is_no_section_is_said():
    class Root(BaseModel):
        pass

    assert problems(Root, 3) == ["(the whole file): expected a valid dictionary or instance of Root, got 3"]  # type: ignore[arg-type]


def test_a_file_is_read_as_yaml_of_today(tmp_path: Path):
    file = tmp_path / "p.yaml"
    file.write_text("a: 1e-4\nb: 0.0003\nc: yes\nd: 010\ne: [1, 2]\nf: null\n", encoding="utf-8")
    assert read_file(file) == {"a": 1e-4, "b": 0.0003, "c": "yes", "d": 10, "e": [1, 2], "f": None}


@pytest.mark.parametrize("content", [b"a: [1", b"a: 1\na: 2\n", b"\xff\xfe\x00", b"a: 'x"])
def test_a_file_that_is_not_yaml_is_named_in_one_line(tmp_path: Path, content: bytes):
    file = tmp_path / "p.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_file(file)
    assert str(caught.value).startswith(f"{file} is not YAML: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "shown"), [("- 1\n- 2\n", "[1, 2]"), ("", "None"), ("steps", "'steps'")])
def test_a_file_without_sections_is_refused(tmp_path: Path, content: str, shown: str):
    file = tmp_path / "p.yaml"
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        read_file(file)
    assert str(caught.value) == f"{file}: expected sections with keys, got {shown}"
