"""The report in a real browser: no errors, no requests, readable on a phone, in dark mode, in print and by keyboard."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import CHROMIUM, WHY_NOT, opened

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
        const [less, more] = pair.map(light).sort((a, b) => a - b);
        return (more + 0.05) / (less + 0.05);
    };
    const text = [['ink', 'paper'], ['soft', 'paper'], ['mark', 'paper'], ['ink', 'raised'], ['soft', 'raised'],
                  ['mark', 'raised'], ['ink', 'heat']];
    const lines = [0, 1, 2, 3, 4, 5].map(number => [`series-${number}`, 'paper']);
    return {text: text.map(pair => between(...pair)), lines: lines.map(pair => between(...pair))};
})()"""
HIDDEN = "[...document.querySelectorAll('details > :not(summary)')].filter(part => !part.checkVisibility()).length"


@pytest.fixture
def page(reported: Path) -> Path:
    return reported / "reports/report.html"


@pytest.mark.parametrize("name", ["reported", "reported_two"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_logs_nothing_requests_nothing_and_fits(
    chromium: Browser, request: pytest.FixtureRequest, name: str, width: int
) -> None:
    """Hostile labels and texts too, which test_page.py finds in it, run and load nothing."""
    page = request.getfixturevalue(name) / "reports/report.html"
    with opened(chromium, page, width=width) as browser:
        assert browser.console == []
        assert browser.requests == [page.as_uri()]
        assert browser.ask("document.documentElement.scrollWidth") == width


def test_every_chart_is_drawn(chromium: Browser, page: Path) -> None:
    with opened(chromium, page) as browser:
        assert browser.ask("document.querySelectorAll('script, img, iframe, b:not(.track b)').length") == 0
        charts = browser.ask(DRAWN)
    assert len(charts) == 4 + 3 * 3 + 2
    assert all(chart["lines"] > 15 and chart["size"] > 40_000 for chart in charts)


def test_even_unescaped_content_cannot_run(chromium: Browser, page: Path, tmp_path: Path) -> None:
    """The page's policy is a second line of defence."""
    text = page.read_text(encoding="utf-8")
    script = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    (tmp_path / "page.html").write_text(text.replace("</main>", f"{script}</main>"), encoding="utf-8")
    with opened(chromium, tmp_path / "page.html") as browser:
        assert browser.ask("document.title") == "BERT distillation report"
        assert sum("Content Security Policy" in line for line in browser.console) >= 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_have_contrast(chromium: Browser, page: Path, scheme: str) -> None:
    with opened(chromium, page, scheme="dark" if scheme == "dark" else "light") as browser:
        contrasts = browser.ask(CONTRASTS)
    assert min(contrasts["text"]) >= 4.5
    assert min(contrasts["lines"]) >= 3


def test_dark_mode_is_dark_and_print_is_white(chromium: Browser, page: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with opened(chromium, page, scheme="dark") as browser:
        assert browser.ask(colour) == "rgb(18, 23, 30)"
    with opened(chromium, page, scheme="dark", media="print") as browser:
        assert browser.ask(colour) == "rgb(255, 255, 255)"


def test_print_shows_collapsed_parts(chromium: Browser, page: Path) -> None:
    with opened(chromium, page, width=760) as browser:
        assert browser.ask(HIDDEN) > 0
        browser.page.emulate_media(media="print")
        assert browser.ask(HIDDEN) == 0


def test_the_keyboard_moves_through_it_and_opens_parts(chromium: Browser, page: Path) -> None:
    with opened(chromium, page) as browser:
        browser.page.keyboard.press("Tab")
        assert browser.ask("document.activeElement.textContent") == "Scores"
        browser.page.locator("summary", has_text="All scores").first.focus()
        browser.page.keyboard.press("Enter")
        assert browser.ask("document.activeElement.parentElement.open") is True
        wide = "[...document.querySelectorAll('.scroll')].every(part => part.tabIndex === 0 && part.ariaLabel)"
        assert browser.ask(wide) is True
