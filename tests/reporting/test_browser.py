"""The report in a real browser: quiet, alone, drawn, readable on a phone, in the dark, on paper and by keyboard."""

from pathlib import Path

import pytest

from tests.browser import CHROMIUM, WHY_NOT, opened
from tests.reporting.finished import HOSTILE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_NOT)

DRAWN = """[...document.querySelectorAll('figure svg')].map(svg => ({
    lines: svg.querySelectorAll('path, use').length,
    size: svg.getBoundingClientRect().width * svg.getBoundingClientRect().height,
}))"""
CONTRASTS = """(() => {
    const probe = document.body.appendChild(document.createElement('i'));
    const channel = value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = name => {
        probe.style.color = `var(--${name})`;
        const [r, g, b] = getComputedStyle(probe).color.match(/[0-9.]+/g).map(text => channel(text / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const between = (...pair) => {
        const [less, more] = pair.map(light).sort((one, other) => one - other);
        return (more + 0.05) / (less + 0.05);
    };
    const text = [['ink', 'paper'], ['soft', 'paper'], ['mark', 'paper'], ['ink', 'raised'], ['soft', 'raised'],
                  ['mark', 'raised'], ['ink', 'heat']];
    const lines = [0, 1, 2, 3, 4, 5].map(number => [`series-${number}`, 'paper']);
    return {text: text.map(pair => between(...pair)), lines: lines.map(pair => between(...pair))};
})()"""
HIDDEN = "[...document.querySelectorAll('details > :not(summary)')].filter(one => !one.checkVisibility()).length"


@pytest.fixture
def page(reported: Path) -> Path:
    return reported / "reports/report.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_quiet_asks_for_nothing_and_fits(page: Path, width: int) -> None:
    with opened(page, width=width) as found:
        assert found.console == []
        assert found.requests == [page.as_uri()]
        assert found.ask("document.documentElement.scrollWidth") == width


def test_every_chart_is_drawn(page: Path) -> None:
    with opened(page) as found:
        charts = found.ask(DRAWN)
    assert len(charts) == 4 + 3 * 3 + 2
    assert all(chart["lines"] > 15 and chart["size"] > 40_000 for chart in charts)


def test_what_a_file_says_is_text_and_runs_nothing(page: Path) -> None:
    with opened(page) as found:
        assert found.ask("document.querySelectorAll('script, img, iframe, b:not(.track b)').length") == 0
        assert HOSTILE in found.ask("document.querySelector('.errors .gold').textContent")
        assert HOSTILE in found.ask("document.querySelector('.heat thead').textContent")


def test_even_what_is_not_escaped_cannot_run(page: Path, tmp_path: Path) -> None:
    """The page's policy is a second wall: with the first one taken away, nothing runs."""
    text = page.read_text(encoding="utf-8")
    script = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    (tmp_path / "page.html").write_text(text.replace("</main>", f"{script}</main>"), encoding="utf-8")
    with opened(tmp_path / "page.html") as found:
        assert found.ask("document.title") == "A small BERT and its teacher"
        assert sum("Content Security Policy" in line for line in found.console) >= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out(page: Path, scheme: str) -> None:
    with opened(page, scheme="dark" if scheme == "dark" else "light") as found:
        contrasts = found.ask(CONTRASTS)
    assert min(contrasts["text"]) >= 4.5
    assert min(contrasts["lines"]) >= 3


def test_the_dark_is_dark_and_paper_is_white(page: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with opened(page, scheme="dark") as found:
        assert found.ask(colour) == "rgb(18, 23, 30)"
    with opened(page, scheme="dark", media="print") as found:
        assert found.ask(colour) == "rgb(255, 255, 255)"


def test_on_paper_nothing_is_folded_away(page: Path) -> None:
    with opened(page, width=760) as found:
        assert found.ask(HIDDEN) > 0
        found.page.emulate_media(media="print")
        assert found.ask(HIDDEN) == 0


def test_it_is_walked_through_and_opened_by_keyboard(page: Path) -> None:
    with opened(page) as found:
        found.page.keyboard.press("Tab")
        assert found.ask("document.activeElement.textContent") == "Scores"
        found.page.locator("summary", has_text="Every score").first.focus()
        found.page.keyboard.press("Enter")
        assert found.ask("document.activeElement.parentElement.open") is True
        wide = "[...document.querySelectorAll('.scroll')].every(one => one.tabIndex === 0 && one.ariaLabel)"
        assert found.ask(wide) is True
