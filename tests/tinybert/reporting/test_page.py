"""The page as text: well-formed, escaped, self-contained, and the same bytes again."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stages.report import Parameters
from tests.tinybert.reporting.conftest import finish_and_report
from tests.tinybert.reporting.finished import HOSTILE
from tinybert.reporting.page import leaves, short, verdict

VOID = {"meta", "link", "br", "path", "use"}
PLACES = {"src", "href", "xlink:href", "srcset", "action", "data"}
"""Attributes that hold an address."""


class Elements(HTMLParser):
    """Collects elements, and fails where they are not nested."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        """Of the attributes `names`, in order."""
        return [str(value) for _, attributes in self.seen for name, value in attributes.items() if name in names]


@pytest.fixture(scope="module", params=["reported", "reported_two"])
def elements(request: pytest.FixtureRequest) -> Elements:
    parser = Elements()
    parser.feed((request.getfixturevalue(request.param) / "reports/report.html").read_text(encoding="utf-8"))
    parser.close()
    return parser


def test_it_is_well_nested_and_texts_of_any_kind_make_no_element(elements: Elements) -> None:
    assert elements.open == []
    assert not {"script", "img", "iframe", "object", "form", "b>"} & {tag for tag, _ in elements.seen}
    assert not [name for _, attributes in elements.seen for name in attributes if name.startswith("on")]
    assert elements.text.count(HOSTILE) > 20


def test_nothing_in_it_is_loaded(elements: Elements) -> None:
    places = elements.values(*PLACES)
    assert places and all(value.startswith(("#", "data:")) for value in places)
    assert re.findall(r"url\((?!#)", "".join(elements.values("style"))) == []


def test_no_id_is_there_twice_and_every_reference_has_its_id(elements: Elements) -> None:
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    used = {f"#{name}" for name in elements.values("aria-labelledby")} | set(elements.values("href", "xlink:href"))
    assert {name for name in used if not name.startswith("data:")} <= {f"#{name}" for name in ids}


def test_every_drawing_has_a_text_alternative_with_its_numbers(elements: Elements) -> None:
    labels = [str(attributes["aria-label"]) for _, attributes in elements.seen if attributes.get("role") == "img"]
    students = 2 if any("tiny" in label for label in labels) else 1
    assert len(labels) == 4 + 3 * (1 + 2 * students) + 1 + students
    assert all(any(character.isdigit() for character in label) for label in labels)


def test_its_policy_lets_no_script_run(elements: Elements) -> None:
    equivalents = [attributes for _, attributes in elements.seen if "http-equiv" in attributes]
    (policy,) = [meta["content"] for meta in equivalents if meta["http-equiv"] == "Content-Security-Policy"]
    assert policy and policy.startswith("default-src 'none';") and "script-src" not in policy


def test_the_same_inputs_give_the_same_bytes(reported: Path, parameters: Parameters, tmp_path: Path) -> None:
    finish_and_report(tmp_path, parameters)
    outputs = [file for file in sorted(reported.rglob("*")) if file.is_file()]
    assert len(outputs) > 60
    for file in outputs:
        assert (tmp_path / file.relative_to(reported)).read_bytes() == file.read_bytes(), file.name


def test_every_student_has_its_size_errors_and_curves(elements: Elements) -> None:
    students = ("small", "tiny") if "tiny" in elements.text else ("small",)
    text = "".join(elements.text.split())
    for student in students:
        assert f"{student}:1.52Mparameters,3.6timessmallerthantheteacher(5.46M)" in text
        assert "Held-outMLMaccuracy23.9%(teacher25.9%)" in text
        assert f"Worsterrorsof{student}" in text
        assert f"{student}:intermediatedistillation(hiddenstates,attention)" in text
    assert ("tiny" in students) == ("0.490" in elements.text)


def test_all_parameters_are_shown(elements: Elements, parameters: Parameters) -> None:
    assert {name for name in leaves(parameters.model_dump()) if name not in elements.text} == set()


def test_a_large_number_is_short() -> None:
    assert [short(number) for number in (999, 1520130, 423_624_704, 9e9)] == ["999 ", "1.52 M", "424 M", "9 G"]


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(-0.1, 0.1, "within noise"), (0.01, 0.1, "better"), (-0.1, -0.01, "worse"), (0, 0, "within noise")],
)
def test_a_difference_counts_if_its_interval_excludes_0(low: float, high: float, word: str) -> None:
    row = {"versus_teacher": 0.05, "versus_teacher_low": low, "versus_teacher_high": high}
    assert verdict(row).endswith(f": {word}")


def test_the_order_of_tasks_and_students_in_the_file_changes_no_byte(
    tmp_path: Path, reported_two: Path, two_students: Parameters
) -> None:
    reverse = {name: dict(reversed(getattr(two_students, name).items())) for name in ("tasks", "students")}
    finish_and_report(tmp_path, two_students.model_copy(update=reverse))
    for name in ("report.html", "machines.json", "sizes.tsv"):
        assert (tmp_path / "reports" / name).read_bytes() == (reported_two / "reports" / name).read_bytes()
