"""The page as text: whole, escaped, the same bytes again, and asking for nothing."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stages.report import Parameters
from stages.reporting.formats import short, verdict
from stages.reporting.page import leaves
from tests.reporting.conftest import make_report
from tests.reporting.finished import HOSTILE, finish

VOID = {"meta", "link", "br", "path", "use"}


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

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def elements(reported: Path) -> Elements:
    found = Elements()
    found.feed((reported / "reports/report.html").read_text(encoding="utf-8"))
    found.close()
    return found


def test_it_is_well_nested(elements: Elements) -> None:
    assert elements.open == []


def test_texts_of_any_kind_are_shown_and_make_no_element(elements: Elements) -> None:
    assert not {"script", "img", "iframe", "object", "form", "b>"} & {tag for tag, _ in elements.seen}
    assert not [name for _, attributes in elements.seen for name in attributes if name.startswith("on")]
    assert elements.text.count(HOSTILE) > 20


def test_nothing_in_it_is_loaded(elements: Elements) -> None:
    places = [value for _, attributes in elements.seen for name, value in attributes.items() if name in PLACES]
    assert places and all(value and value.startswith(("#", "data:")) for value in places)
    style = "".join(
        value or "" for _, attributes in elements.seen for name, value in attributes.items() if name == "style"
    )
    assert re.findall(r"url\((?!#)", style) == []


PLACES = {"src", "href", "xlink:href", "srcset", "action", "data"}


def test_no_id_is_there_twice_and_every_reference_has_its_id(elements: Elements) -> None:
    ids = [str(attributes["id"]) for _, attributes in elements.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {str(value)[1:] for _, given in elements.seen for name, value in given.items() if name.endswith("href")}
    used |= {str(given["aria-labelledby"]) for _, given in elements.seen if "aria-labelledby" in given}
    assert {one for one in used if not one.startswith("ata:")} <= set(ids)


def test_every_drawing_says_what_is_in_it(elements: Elements) -> None:
    labels = [str(given["aria-label"]) for tag, given in elements.seen if given.get("role") == "img"]
    assert len(labels) == 4 + 3 * 3 + 2
    assert all(any(character.isdigit() for character in label) for label in labels)


def test_its_policy_lets_no_script_run(elements: Elements) -> None:
    (policy,) = [given["content"] for _, given in elements.seen if given.get("http-equiv") == "Content-Security-Policy"]
    assert policy and policy.startswith("default-src 'none';") and "script-src" not in policy


def test_the_same_inputs_give_the_same_bytes(reported: Path, parameters: Parameters, tmp_path: Path) -> None:
    finish(tmp_path, parameters)
    make_report(tmp_path, parameters)
    outputs = [file for file in sorted(reported.rglob("*")) if file.is_file()]
    assert len(outputs) > 60
    for file in outputs:
        assert (tmp_path / file.relative_to(reported)).read_bytes() == file.read_bytes(), file.name


def test_all_parameters_are_shown(elements: Elements, parameters: Parameters) -> None:
    assert {name for name in leaves(parameters.model_dump()) if name not in elements.text} == set()


@pytest.mark.parametrize(
    ("number", "shown"), [(999, "999 "), (1520130, "1.52 M"), (423_624_704, "424 M"), (9e9, "9 G")]
)
def test_a_large_number_is_short(number: float, shown: str) -> None:
    assert short(number) == shown


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.1, 0.1, "within noise"), (0.01, 0.1, "better"), (-0.1, -0.01, "worse"), (0, 0, "within noise")],
)
def test_a_difference_counts_where_its_range_leaves_out_0(low: float, high: float, said: str) -> None:
    one = {"versus_teacher": 0.05, "versus_teacher_low": low, "versus_teacher_high": high}
    assert verdict(one).endswith(f": {said}")


def test_the_order_of_tasks_in_the_file_changes_no_byte(tmp_path: Path, reported: Path, parameters: Parameters) -> None:
    other = parameters.model_copy(update={"tasks": dict(reversed(parameters.tasks.items()))})
    finish(tmp_path, other)
    make_report(tmp_path, other)
    for name in ("report.html", "machines.json"):
        assert (tmp_path / "reports" / name).read_bytes() == (reported / "reports" / name).read_bytes()
